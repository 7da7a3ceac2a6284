"""Accuracies of a supernet's members, as searches ask for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from efspec.errors import EfspecError
from efspec.plan import Plan
from efspec.spec.candidates import Candidate
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec
from efspec.supernet import Statistics, Supernet, calibrate, extract
from efspec.train.loaders import Batch, Loaders
from efspec.train.rating import top1
from efspec.train.supernets import logits_of

MAX_HELD = 2 << 30
"""Bytes of images up to which they are kept in memory: each member looks at the same ones."""


class Members:
    """A supernet and the images that tell what its members are worth.

    Args:
        supernet: The supernet, which is put in eval mode.
        read: The images; all of them, in every process.
        accelerator: What it runs on.

    Raises:
        EfspecError: When an image cannot be read.
    """

    def __init__(self, supernet: Supernet, read: Loaders, accelerator: Accelerator) -> None:
        self._supernet = supernet.to(accelerator.device).eval()
        self._accelerator = accelerator
        self._rated = _held(read.rated)
        self._calibrating = _held(read.calibrating)

    def accuracy(self, candidate: Candidate) -> float:
        """Share of the validation images whose class a member tells, with statistics of its own."""
        statistics = self._statistics(candidate)
        return top1(
            lambda images: logits_of(self._supernet(images, candidate, statistics)),
            self._rated(),
            self._accelerator,
        )

    def cut_out(
        self, candidate: Candidate, name: str
    ) -> tuple[NetworkSpec, Plan, dict[str, Tensor]]:
        """A member as a network of its own: its spec, its plan and its weights, on the CPU."""
        statistics = self._statistics(candidate)
        spec, state = extract(self._supernet, candidate, statistics, name)
        return spec, resolve(spec), {key: tensor.cpu() for key, tensor in state.items()}

    def _statistics(self, candidate: Candidate) -> Statistics:
        device = self._accelerator.device
        batches = (images.to(device) for images, _ in self._calibrating())
        return calibrate(self._supernet, candidate, batches)


def across(
    accelerator: Accelerator,
) -> Callable[[Callable[[Candidate], float], Sequence[Candidate]], Iterator[float]]:
    """What shares evaluations among processes; all of them get every accuracy, in order."""

    def spread(
        evaluate: Callable[[Candidate], float], candidates: Sequence[Candidate]
    ) -> Iterator[float]:
        count, rank = accelerator.num_processes, accelerator.process_index
        for start in range(0, len(candidates), count):
            some = candidates[start : start + count]
            own, failure = math.nan, None
            try:
                own = evaluate(some[rank]) if rank < len(some) else math.nan
            except EfspecError as error:  # the others wait for this process
                failure = error
            number = torch.tensor([own], dtype=torch.float64, device=accelerator.device)
            found: list[float] = accelerator.gather(number).tolist()
            if failure is not None:
                raise failure
            yield from found[: len(some)]

    return spread


def _held(read: Callable[[], Iterator[Batch]]) -> Callable[[], Iterable[Batch]]:
    """Batches that are read once, if memory allows it."""
    found: list[Batch] = []
    size = 0
    for images, labels in read():
        size += images.nbytes
        if size > MAX_HELD:
            return read
        found.append((images, labels))
    return lambda: found
