"""How good a network is on images that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional

from efspec.record import Record
from efspec.train.loaders import Batch


class Rating(Record):
    """How good a network is.

    Attributes:
        loss: Mean cross-entropy.
        top1: Share of images whose class was right.
        smallest_top1: The same of a supernet's smallest member; the others are of its largest.
            None for a single network.
    """

    loss: float
    top1: float
    smallest_top1: float | None = None


def rate(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Batch], accelerator: Accelerator
) -> Rating:
    """How good a network is on images, of which each process rates its share.

    Args:
        forward: Images to logits (B, classes), on the accelerator's device, in eval mode.
        batches: This process's share of the images.
        accelerator: What it runs on.

    Raises:
        EfspecError: When an image cannot be read.
    """
    loss, right, count = summed(_sums(forward, batches, accelerator), accelerator)
    return Rating(loss / count, right / count)


def top1(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Batch], accelerator: Accelerator
) -> float:
    """Share of images whose class is right; this process rates all of them by itself."""
    _, right, count = _sums(forward, batches, accelerator).tolist()
    return float(right / count)


@torch.inference_mode()
def _sums(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Batch], accelerator: Accelerator
) -> Tensor:
    """The loss, how many were right, and how many there were (3,)."""
    sums = torch.zeros(3, dtype=torch.float64)
    for images, labels in batches:
        labels = labels.to(accelerator.device)
        with accelerator.autocast():
            logits = forward(images.to(accelerator.device)).float()
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        right = (logits.argmax(dim=1) == labels).sum()
        sums += torch.tensor([float(loss), float(right), len(labels)], dtype=torch.float64)
    return sums


def summed(numbers: torch.Tensor, accelerator: Accelerator) -> list[float]:
    """The sums of numbers of all processes."""
    # Some GPUs cannot count in double precision.
    exact = numbers.float() if accelerator.device.type == "mps" else numbers.double()
    total: list[float] = accelerator.reduce(exact.to(accelerator.device), reduction="sum").tolist()
    return total
