"""Timing networks in onnxruntime, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from efspec.deploy import Weights
from efspec.extras import need
from efspec.latency.caches import emptier
from efspec.latency.runner import Runner, Setting, Timed, on_threads, protocol, timed
from efspec.plan import Plan
from efspec.plan.names import INPUT


@contextmanager
def onnx_runner(setting: Setting) -> Iterator[Runner]:
    """The onnxruntime on the CPU in single precision, with the optimisations of its default.

    Raises:
        EfspecError: When onnx or onnxruntime is not installed.
    """
    need("measuring in onnxruntime needs", "onnx", "onnxruntime", extra="onnx")
    from efspec.onnx.emit import emit, encode
    from efspec.onnx.runtime import runtime_version, session

    def load(plan: Plan, weights: Weights) -> Timed:
        model = encode(emit(plan, weights, dynamic_batch=setting.batch > 1))
        run = session(model, setting.threads)
        shape = (setting.batch, *plan.input)
        x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        return timed(lambda: run.run(None, {INPUT: x}))

    runtime = f"onnxruntime {runtime_version()}"
    yield Runner(protocol(runtime, on_threads(setting), "fp32", setting), load, emptier())
