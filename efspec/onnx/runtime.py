"""Running a model in onnxruntime."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from efspec.plan.names import INPUT

Array = npt.NDArray[np.float32]

_ERRORS_ONLY = 3
"""Of its log: what it warns of is how it goes about things, which a user cannot change."""


def runtime_version() -> str:
    """The version of the onnxruntime that is installed; empty when none is."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return ""


def session(model: bytes, threads: int = 0) -> Any:
    """A session of onnxruntime on the CPU.

    Args:
        model: The bytes of an ONNX file.
        threads: How many it may use; 0 leaves that to onnxruntime.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model: bytes, images: Array) -> tuple[Array, ...]:
    """What a model gives for images (B, C, H, W).

    Args:
        model: The bytes of an ONNX file.
        images: As many as its batch axis takes.
    """
    return tuple(session(model).run(None, {INPUT: images}))
