"""The sandwich rule: each step trains the largest member, the smallest, and two random ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn
from torch.nn import functional

from efspec.spec.candidates import Candidate, largest, sample, smallest
from efspec.spec.space import SpaceSpec
from efspec.supernet.supernet import Outputs

RANDOM = 2
"""How many random members a step trains."""


def sandwich(space: SpaceSpec, chance: random.Random) -> tuple[Candidate, ...]:
    """The members of one step: the largest, the smallest, and random ones.

    Processes that train together need the same members: give each a generator of the same seed.

    References:
        https://arxiv.org/abs/1903.05134
    """
    return largest(space), smallest(space), *(sample(space, chance) for _ in range(RANDOM))


def accumulate(
    supernet: nn.Module,
    images: Tensor,
    picks: Sequence[Candidate],
    loss: Callable[[Outputs], Tensor],
    *,
    distil: bool = False,
    backward: Callable[[Tensor], object] = Tensor.backward,
) -> tuple[Tensor, ...]:
    """The loss of each member on a batch; gradients of their sum are added to the parameters'.

    The members run one after the other, each backward before the next forward, so that memory is
    that of the largest. The optimiser's step is the caller's.

    Args:
        supernet: The supernet in training mode, as it is or as distributed training wraps it; that
            has to look for unused parameters (`find_unused_parameters`), since each member leaves
            some out.
        images: Images (B, C, H, W).
        picks: The members.
        loss: What each member is to make small, from what it gives.
        distil: Whether the first member, the largest, teaches the others: their loss is then the
            cross-entropy to its probabilities, in place of `loss`.
        backward: What computes gradients; of Accelerate, say, for mixed precision.
    """
    losses: list[Tensor] = []
    taught: Outputs | None = None
    for number, candidate in enumerate(picks):
        # Gradients need to go from process to process only once.
        last = number == len(picks) - 1
        with nullcontext() if last else _unsynchronised(supernet):
            outputs: Outputs = supernet(images, candidate)
            own = loss(outputs) if taught is None else cross_entropy(outputs, taught)
            backward(own)
        losses.append(own.detach())
        if distil and taught is None:
            taught = outputs
    return tuple(losses)


def cross_entropy(outputs: Outputs, taught: Outputs) -> Tensor:
    """Cross-entropy of logits (B, classes) to those of a teacher, which learns nothing from it.

    Each of two heads learns from the teacher's head of the same kind; it is their mean.
    """
    pairs = list(zip(_each(outputs), _each(taught), strict=True))
    losses = [functional.cross_entropy(own, other.detach().softmax(dim=-1)) for own, other in pairs]
    return sum(losses[1:], losses[0]) / len(losses)


def _each(outputs: Outputs) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _unsynchronised(supernet: nn.Module) -> AbstractContextManager[object]:
    """Where gradients stay in their process, if there are others at all."""
    found: Callable[[], AbstractContextManager[object]] = getattr(supernet, "no_sync", nullcontext)
    return found()
