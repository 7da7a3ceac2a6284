"""Gradient checkpointing by stage: activations are computed again, to save memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from efspec.plan import Plan, parts


def checkpoint_stages(module: nn.Module, plan: Plan) -> None:
    """Have a built module keep only what its stages begin with; what it computes is the same.

    Args:
        module: A module built from the plan, which is changed. Copies of it are changed, too, and
            would still call this one: copy it before.
        plan: The network.
    """
    for number in sorted({part.stage for part in parts(plan) if part.stage is not None}):
        stage = module.get_submodule(f"stages.{number}")
        stage.forward = _again(stage)


def _again(stage: nn.Module) -> Callable[[Tensor], Tensor]:
    forward: Callable[[Tensor], Tensor] = stage.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(stage)

    def run(x: Tensor) -> Tensor:
        if not stage.training:
            return forward(x)
        result: Tensor = checkpoint(forward, x, use_reentrant=False, context_fn=contexts)
        return result

    return run


@contextmanager
def _statistics_kept(stage: nn.Module) -> Iterator[None]:
    """Keep batch norms from counting the images of a batch twice."""
    norms = [child for child in stage.modules() if isinstance(child, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # They go on to track: without, other tensors would be saved than the first time.
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = torch.zeros_like(norm.num_batches_tracked)
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
