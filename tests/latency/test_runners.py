"""Running probes: on this machine, and against fakes of what is not here."""

from __future__ import annotations

import asyncio
import sys
import types
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, ClassVar, get_args
from unittest import mock

import numpy as np
import pytest
import torch

import efspec
from efspec.latency import caches, run_coreml, run_cuda
from efspec.latency.probe import probe_plan, reference
from efspec.latency.run_torch import images
from efspec.latency.runner import Setting, processor, timed
from efspec.latency.runtimes import _RUNNERS, RUNTIMES, Runtime, runner, runtime_of
from efspec.latency.weights import deployed_with_weights

PLAN = efspec.resolve(efspec.load("v2_s0", set=["input.size=32"]))
PROBE = deployed_with_weights(probe_plan(reference(PLAN), 2))


def test_every_runtime_has_a_runner() -> None:
    assert tuple(_RUNNERS) == RUNTIMES == get_args(Runtime)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "torch-compile"])
@pytest.mark.parametrize("batch", [1, 2])
def test_networks_run_here(runtime: Runtime, batch: int) -> None:
    before = torch.get_num_threads()
    with runner(runtime, Setting(threads=1, batch=batch)) as running:
        assert running.load(*PROBE)() > 0
    assert torch.get_num_threads() == before
    protocol = running.protocol
    assert (protocol.unit, protocol.precision, protocol.batch) == ("cpu, 1 thread", "fp32", batch)
    assert protocol.device == processor() != ""
    assert runtime_of(protocol.runtime) == runtime


def test_threads_are_those_that_are_wanted() -> None:
    with runner("torch", Setting(threads=2)) as running:
        assert torch.get_num_threads() == 2
    assert running.protocol.unit == "cpu, 2 threads"


def test_what_is_compiled_is_compiled_each_time() -> None:
    """Networks share classes; torch gives up compiling code that it has compiled eight times."""
    with runner("torch-compile", Setting()) as running:
        for width in range(8, 8 + 10):
            widths = [f"stem.width={width}", f"stages.0.width={width}"]
            one = efspec.resolve(efspec.load("v2_s0", set=["input.size=32", *widths]))
            assert running.load(*deployed_with_weights(probe_plan(reference(one), 1)))() > 0


def test_the_clock_is_the_one_on_the_wall() -> None:
    with mock.patch("time.perf_counter_ns", side_effect=[1000, 1250]):
        assert timed(lambda: None)() == 250


def test_runtimes_are_recognised_in_protocols() -> None:
    assert runtime_of("torch 2.9.0, CUDA 12.8, eager") == "cuda"
    assert runtime_of("torch 2.9.0, eager") == "torch"
    assert runtime_of("Core ML, coremltools 9.0") is None
    assert runtime_of("") is None


class Gpu:
    """A GPU that is the CPU; it counts how often it is waited for."""

    def __init__(self) -> None:
        self.waits = 0

    def used(self) -> AbstractContextManager[Any]:
        module_to = torch.nn.Module.to
        cuda = {
            "is_available": lambda: True,
            "get_device_name": lambda index: f"GPU {index}",
            "synchronize": self._wait,
        }
        fakes = [mock.patch.object(torch.cuda, name, fake) for name, fake in cuda.items()]
        fakes += [
            # On the CPU, half precision would be another test.
            mock.patch.object(torch.nn.Module, "to", lambda self, *to: module_to(self, "cpu")),
            mock.patch.object(run_cuda, "images", lambda plan, batch: Moved(images(plan, batch))),
        ]
        return _all(fakes)

    def _wait(self) -> None:
        self.waits += 1


class Moved:
    """Images that are to be moved to the GPU, and stay where they are."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = x

    def to(self, device: str, number: torch.dtype) -> torch.Tensor:
        assert device == "cuda"
        return self.x


def _all(managers: list[Any]) -> AbstractContextManager[Any]:
    stack = ExitStack()
    for manager in managers:
        stack.enter_context(manager)
    return stack


@pytest.mark.parametrize("precision", [None, "fp32"])
def test_a_gpu_is_waited_for(precision: Any) -> None:
    gpu = Gpu()
    with gpu.used(), run_cuda.cuda_runner(Setting(precision=precision)) as running:
        call = running.load(*PROBE)
        assert call() > 0
        assert call() > 0
    assert gpu.waits == 2
    protocol = running.protocol
    assert (protocol.device, protocol.unit) == ("GPU 0", "gpu")
    assert protocol.precision == (precision or "fp16")


class Model:
    """A Core ML model that takes a microsecond more each time."""

    seen: ClassVar[list[Any]] = []

    def __init__(self, path: str, **options: Any) -> None:
        self.path, self.options, self.calls = path, options, 0
        Model.seen.append(self)

    def predict(self, inputs: dict[str, Any]) -> None:
        self.calls += 1
        self.inputs = inputs

    @property
    def last_predict_duration_in_nano_seconds(self) -> int:
        return 1000 * self.calls


@pytest.mark.parametrize("units", run_coreml.UNITS)
def test_on_a_mac_it_is_core_ml_that_tells_the_time(units: str) -> None:
    import coremltools as ct

    Model.seen.clear()
    mac = mock.patch.object(sys, "platform", "darwin")
    model_class = mock.patch.object(ct.models, "MLModel", Model)
    release = mock.patch("platform.mac_ver", return_value=("26.1", ("", "", ""), "arm64"))
    with mac, model_class, release, run_coreml.coreml_runner(Setting(units=units)) as running:
        call = running.load(*PROBE)
        assert [call(), call()] == [1000, 2000]
        (model,) = Model.seen
        assert ct.utils.load_spec(model.path).specificationVersion == 7
    assert model.options["compute_units"].name == run_coreml.UNITS[units]
    (given,) = model.inputs.values()
    assert given.shape == (1, 3, 32, 32)
    assert given.dtype == np.float32
    assert (running.protocol.os, running.protocol.unit) == ("macOS 26.1", units)
    assert running.protocol.precision == "fp16"


def test_on_a_phone_it_is_the_phone_that_tells_the_time() -> None:
    from coremltools.models.ml_program.experimental import perf_utils

    class Benchmarker:
        def __init__(self, model: Any, device: Any) -> None:
            self.device = device

        async def benchmark_predict(self, inputs: Any, iterations: int) -> Any:
            assert iterations == 1
            return types.SimpleNamespace(samples=[0.25])

    device = types.SimpleNamespace(type=types.SimpleNamespace(value="iPhone"), os_version="18.1")
    loop = asyncio.new_event_loop()
    try:
        phone = run_coreml.Phone(device, loop)
        with mock.patch.object(perf_utils, "MLModelBenchmarker", Benchmarker):
            call = phone.timed(object(), {})
        assert call() == 250_000
    finally:
        loop.close()
    assert (phone.name, phone.os) == ("iPhone", "iOS 18.1")


def test_the_size_of_caches_is_read_or_the_usual(tmp_path: Path) -> None:
    assert 2**18 <= caches.last_cache() <= 2**32
    caches.emptier()()
    for number, text in enumerate(("32K\n", "2M\n", "24M\n", "odd\n", "")):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}" / "size").write_text(text)
    with mock.patch.object(caches, "_CACHES", tmp_path):
        assert caches.last_cache() == 24 * 2**20
    with mock.patch.object(caches, "_CACHES", tmp_path / "nowhere"):
        assert caches.last_cache() == caches.USUAL
