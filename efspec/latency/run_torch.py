"""Timing networks in eager PyTorch, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from efspec.deploy import Weights
from efspec.latency.caches import emptier
from efspec.latency.runner import Runner, Setting, Timed, on_threads, protocol, timed
from efspec.plan import Plan
from efspec.pytorch.build import build_module
from efspec.pytorch.threads import threads


@contextmanager
def torch_runner(setting: Setting) -> Iterator[Runner]:
    """Eager PyTorch in single precision, on a number of threads for as long as it is used."""

    def load(plan: Plan, weights: Weights) -> Timed:
        module = module_of(plan, weights)
        x = images(plan, setting.batch)

        @torch.inference_mode()
        def call() -> None:
            module(x)

        return timed(call)

    with threads(setting.threads):
        runtime = f"torch {torch.__version__}, eager"
        yield Runner(protocol(runtime, on_threads(setting), "fp32", setting), load, emptier())


def module_of(plan: Plan, weights: Weights) -> nn.Module:
    """The module of a deployed network, in eval mode."""
    module = build_module(plan).eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return module


def images(plan: Plan, batch: int) -> Tensor:
    """Noise as images, the same each time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, *plan.input, generator=generator)
