"""The runtimes that latencies can be measured in, by name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Literal, get_args

from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.latency.runner import Runner, Setting

Runtime = Literal["torch", "torch-compile", "onnxruntime", "cuda", "coreml"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

_RUNNERS = {
    "torch": ("run_torch", "torch_runner", ("fp32",)),
    "torch-compile": ("run_compiled", "compiled_runner", ("fp32",)),
    "onnxruntime": ("run_onnx", "onnx_runner", ("fp32",)),
    "cuda": ("run_cuda", "cuda_runner", ("fp16", "fp32")),
    "coreml": ("run_coreml", "coreml_runner", ("fp16", "fp32")),
}
"""Module and name of what makes each runner, and the precisions that it takes."""


def runtime_of(words: str) -> Runtime | None:
    """The runtime that a protocol speaks of and that efspec measures in on the spot, if any."""
    name = words.lower()
    if name.startswith("torch"):
        return "cuda" if "cuda " in name else "torch-compile" if "compile" in name else "torch"
    return "onnxruntime" if name.startswith("onnxruntime") else None


def runner(runtime: Runtime, setting: Setting) -> AbstractContextManager[Runner]:
    """What runs networks in a runtime, for as long as it is used.

    Raises:
        EfspecError: When the runtime is not here, or does not take what is wanted.
    """
    module, name, precisions = _RUNNERS[runtime]
    if setting.precision not in (None, *precisions):
        raise fail(
            "cannot-measure-here",
            f"{setting.precision} is wanted, in which {runtime} is not measured",
            expected=" or ".join(precisions),
        )
    made: AbstractContextManager[Runner] = getattr(import_module(f"efspec.latency.{module}"), name)(
        setting
    )
    return made
