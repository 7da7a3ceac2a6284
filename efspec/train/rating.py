"""How good a network is on images that it has not learned from."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional

from efspec.record import Record
from efspec.train.loaders import Loaders


class Rating(Record):
    """How good a network is.

    Attributes:
        loss: Mean cross-entropy.
        top1: Share of images whose class was right.
    """

    loss: float
    top1: float


def rate(module: nn.Module, read: Loaders, accelerator: Accelerator) -> Rating:
    """How good a network is on the validation images, of which each process rates its share.

    Args:
        module: The network, on the accelerator's device; it is in eval mode afterwards.
        read: The images.
        accelerator: What it runs on.

    Raises:
        EfspecError: When an image cannot be read.
    """
    module.eval()
    sums = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode():
        for images, labels in read.rated():
            labels = labels.to(accelerator.device)
            with accelerator.autocast():
                logits = module(images.to(accelerator.device)).float()
            losses = functional.cross_entropy(logits, labels, reduction="sum")
            hits = (logits.argmax(dim=1) == labels).sum()
            sums += torch.tensor([float(losses), float(hits), len(labels)], dtype=torch.float64)
    loss, right, count = summed(sums, accelerator)
    return Rating(loss / count, right / count)


def summed(numbers: torch.Tensor, accelerator: Accelerator) -> list[float]:
    """The sums of numbers of all processes."""
    # Some GPUs cannot count in double precision.
    exact = numbers.float() if accelerator.device.type == "mps" else numbers.double()
    total: list[float] = accelerator.reduce(exact.to(accelerator.device), reduction="sum").tolist()
    return total
