"""What runs probes: a runtime on this machine, or on a device that is attached to it."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from efspec.deploy import Weights
from efspec.latency.table import Precision, Protocol
from efspec.plan import Plan
from efspec.record import Node, Record

Timed = Callable[[], int]
"""Runs a network once, and says how many nanoseconds that took."""


class Setting(Record):
    """What a user can want of a runner.

    Attributes:
        threads: How many threads of the CPU.
        precision: Of weights and activations; None for what the runtime is usually used with.
        batch: Images at a time.
        units: Of Core ML: all, cpu, gpu (and the CPU) or ane (and the CPU).
        team: Of Core ML on an attached iPhone: the team that signs; empty to run on the Mac.
    """

    threads: int = 1
    precision: Precision | None = None
    batch: int = 1
    units: str = "all"
    team: str = ""


class Runner(Node):
    """A runtime that networks can be timed in.

    Attributes:
        protocol: What its figures are of.
        load: Takes a deployed network and its weights.
        empty: Empties the caches, before each call; None where that cannot be done.
    """

    protocol: Protocol
    load: Callable[[Plan, Weights], Timed]
    empty: Callable[[], None] | None = None


def timed(call: Callable[[], object]) -> Timed:
    """Times a call by the clock on the wall."""

    def run() -> int:
        start = time.perf_counter_ns()
        call()
        return time.perf_counter_ns() - start

    return run


def protocol(
    runtime: str, unit: str, precision: Precision, setting: Setting, device: str = "", os: str = ""
) -> Protocol:
    """How latencies are taken, here and now; device and system are this machine's by default."""
    return Protocol(
        device=device or processor(),
        os=os or f"{platform.system()} {platform.release()}",
        runtime=runtime,
        unit=unit,
        precision=precision,
        batch=setting.batch,
        tool=f"efspec {version('efspec')}",
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )


def on_threads(setting: Setting) -> str:
    """The unit of those that run on the CPU."""
    return f"cpu, {setting.threads} thread{'s' * (setting.threads > 1)}"


def processor() -> str:
    """The name of this machine's processor, as exact as it is known."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return found.stdout.strip() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
