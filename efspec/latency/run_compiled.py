"""Timing networks that torch.compile has compiled, on the CPU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from efspec.deploy import Weights
from efspec.errors import fail
from efspec.latency.caches import emptier
from efspec.latency.run_torch import images, module_of
from efspec.latency.runner import Runner, Setting, Timed, on_threads, protocol, timed
from efspec.plan import Plan
from efspec.pytorch.threads import threads

COMPILERS = ("g++", "clang++", "c++", "cl")
"""C++ compilers that torch's inductor looks for, besides that of `CXX`."""


@contextmanager
def compiled_runner(setting: Setting) -> Iterator[Runner]:
    """PyTorch with torch.compile and inductor, in single precision, on a number of threads.

    Raises:
        EfspecError: When there is no C++ compiler, which inductor needs.
    """
    if not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise fail(
            "cannot-measure-here",
            "torch.compile needs a C++ compiler, and there is none on the PATH",
            fix="install g++ or clang++, or measure with `--runtime torch`",
        )

    def load(plan: Plan, weights: Weights) -> Timed:
        x = images(plan, setting.batch)
        # Networks share classes, and torch gives up on code that it has compiled for several:
        # what is exported has code of its own.
        exported = torch.export.export(module_of(plan, weights), (x,)).module()
        module = torch.compile(exported, fullgraph=True, dynamic=False)

        @torch.no_grad()
        def call() -> None:
            module(x)

        call()
        return timed(call)

    with threads(setting.threads):
        runtime = f"torch {torch.__version__}, torch.compile (inductor)"
        yield Runner(protocol(runtime, on_threads(setting), "fp32", setting), load, emptier())
        torch.compiler.reset()
