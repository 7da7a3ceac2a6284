"""Timing networks in eager PyTorch, on a CUDA GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from efspec.deploy import Weights
from efspec.errors import fail
from efspec.latency.run_torch import images, module_of
from efspec.latency.runner import Runner, Setting, Timed, protocol, timed
from efspec.plan import Plan


@contextmanager
def cuda_runner(setting: Setting) -> Iterator[Runner]:
    """Eager PyTorch on the first GPU, in half precision by default.

    Times are from handing over the input, which is on the GPU, until the GPU has nothing more to
    do: what a user waits for. In networks as small as these, much of that is launching kernels.

    Raises:
        EfspecError: When there is no GPU that torch can use.
    """
    if not torch.cuda.is_available():
        raise fail(
            "cannot-measure-here",
            "torch finds no CUDA GPU",
            fix="measure where there is one, with a torch that was built for CUDA",
        )
    precision = setting.precision or "fp16"
    number = torch.float16 if precision == "fp16" else torch.float32

    def load(plan: Plan, weights: Weights) -> Timed:
        module = module_of(plan, weights).to("cuda", number)
        x = images(plan, setting.batch).to("cuda", number)

        @torch.inference_mode()
        def call() -> None:
            module(x)
            torch.cuda.synchronize()

        return timed(call)

    runtime = f"torch {torch.__version__}, CUDA {torch.version.cuda}, eager"
    device = torch.cuda.get_device_name(0)
    yield Runner(protocol(runtime, "gpu", precision, setting, device), load)
