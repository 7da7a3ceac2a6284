"""Timing networks in Core ML: on a Mac, or on an iPhone that is attached to one.

What drives the iPhone is experimental in coremltools, and so it is here.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from efspec.coreml.options import PackageOptions
from efspec.coreml.package import SUFFIX, pack
from efspec.coreml.quiet import quiet
from efspec.cost.latency import NS_PER_MS
from efspec.deploy import Weights
from efspec.errors import fail
from efspec.latency.runner import Runner, Setting, Timed, protocol
from efspec.plan import Plan
from efspec.plan.names import INPUT

UNITS = {"all": "ALL", "cpu": "CPU_ONLY", "gpu": "CPU_AND_GPU", "ane": "CPU_AND_NE"}
"""Compute units as coremltools calls them."""


@contextmanager
def coreml_runner(setting: Setting) -> Iterator[Runner]:
    """Core ML, in half precision by default; packages are compiled in a temporary folder.

    Raises:
        EfspecError: When this is no Mac, a batch is wanted, or no iPhone is attached.
    """
    if sys.platform != "darwin":
        raise fail(
            "cannot-measure-here",
            f"Core ML runs on macOS only, and this is {platform.system()}",
            fix="write packages to measure elsewhere: `efspec latency probes`",
        )
    if setting.batch != 1:
        raise fail(
            "cannot-measure-here",
            f"packages take one image at a time, and a batch of {setting.batch:,} is wanted",
            fix="leave out `--batch`",
        )
    precision = "fp32" if setting.precision == "fp32" else "fp16"
    phone = _phone(setting.team) if setting.team else None
    numbers = count()
    with quiet(), tempfile.TemporaryDirectory(prefix="efspec-") as folder:
        import coremltools as ct

        unit = ct.ComputeUnit[UNITS[setting.units]]

        def load(plan: Plan, weights: Weights) -> Timed:
            path = Path(folder) / f"{next(numbers)}{SUFFIX}"
            pack(plan, weights, PackageOptions(precision=precision)).write(path)
            shape = (1, *plan.input)
            x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
            if phone:
                model = ct.models.MLModel(str(path), compute_units=unit, skip_model_load=True)
                return phone.timed(model, {INPUT: x})
            model = ct.models.MLModel(str(path), compute_units=unit)
            return on_mac(model, {INPUT: x})

        yield Runner(
            protocol(
                f"Core ML, coremltools {version('coremltools')}",
                setting.units,
                precision,
                setting,
                phone.name if phone else "",
                phone.os if phone else f"macOS {platform.mac_ver()[0]}",
            ),
            load,
        )


def on_mac(model: Any, inputs: dict[str, Any]) -> Timed:
    """Times a model by Core ML's own clock, which leaves out what Python does around the call."""

    def run() -> int:
        model.predict(inputs)
        return int(model.last_predict_duration_in_nano_seconds)

    return run


class Phone:
    """An attached iPhone, with the app on it that runs models.

    Args:
        device: What coremltools knows it as, prepared.
        loop: Where its calls are awaited.
    """

    def __init__(self, device: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.name = str(device.type.value)  # its name would be what its owner calls it
        self.os = f"iOS {device.os_version}"
        self._device, self._loop = device, loop

    def timed(self, model: Any, inputs: dict[str, Any]) -> Timed:
        """Times a model by the phone's clock."""
        from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker

        benchmarker = MLModelBenchmarker(model, device=self._device)

        def run() -> int:
            once = benchmarker.benchmark_predict(inputs=inputs, iterations=1)
            measurement = self._loop.run_until_complete(once)
            return round(float(measurement.samples[-1]) * NS_PER_MS)

        return run


def _phone(team: str) -> Phone:
    with quiet():
        from coremltools.models.ml_program.experimental import remote_device

    found = remote_device.Device.get_connected_devices(remote_device.DeviceType.IPHONE)
    if not found:
        raise fail(
            "cannot-measure-here",
            "no iPhone is attached",
            expected="an unlocked iPhone in developer mode, which this Mac trusts",
        )
    credentials = remote_device.AppSigningCredentials(development_team=team)
    loop = asyncio.new_event_loop()
    prepared = loop.run_until_complete(found[0].prepare_for_model_debugging(credentials))
    return Phone(prepared, loop)
