"""Where latencies come from.

A source takes a plan and says how long its parts take, and how it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from efspec.plan import Plan
from efspec.record import Record

Method = Literal["measured", "differenced", "apportioned", "interpolated", "fitted", "given"]
"""How a latency is known; `given` is a figure of the user's for the whole network."""


class BlockLatency(Record):
    """Latency of one part of a network.

    Attributes:
        path: Module path of the part, as in `efspec.plan.Part`.
        ms: Milliseconds.
        method: How it is known.
    """

    path: str
    ms: float
    method: Method


class Latency(Record):
    """Latency of a network.

    Attributes:
        ms: Milliseconds of the whole network.
        blocks: Latencies of its parts, as far as the source knows them.
        coverage: Share of the whole that each method accounts for.
        device: Name of the device; empty when the source does not say.
    """

    ms: float
    blocks: tuple[BlockLatency, ...]
    coverage: dict[Method, float]
    device: str = ""


LatencySource = Callable[[Plan], Latency]


def given(ms: float) -> LatencySource:
    """A source that knows one figure for the whole network, and nothing about its parts."""
    return lambda plan: Latency(ms, (), {"given": 1.0})
