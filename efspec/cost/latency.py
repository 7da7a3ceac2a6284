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


class Timing(Record):
    """How long something takes.

    Attributes:
        ns: Nanoseconds.
        low_ns: The least that it may be.
        high_ns: The most that it may be.
        method: How it is known.
    """

    ns: int
    low_ns: int
    high_ns: int
    method: Method


class BlockLatency(Timing):
    """Latency of one part of a network.

    Attributes:
        path: Module path of the part, as in `efspec.plan.Part`.
    """

    path: str


class Latency(Record):
    """Latency of a network. Whole nanoseconds add up to the same in any order.

    Attributes:
        blocks: Latencies of its parts; none where only the whole is known.
        fixed: What it costs beside its parts, or all of it where only the whole is known.
        device: Name of the device; empty when the source does not say.
    """

    blocks: tuple[BlockLatency, ...]
    fixed: Timing | None
    device: str = ""

    def pieces(self) -> tuple[Timing, ...]:
        """All that adds up to the whole."""
        return (*([self.fixed] if self.fixed else []), *self.blocks)

    @property
    def ms(self) -> float:
        """Milliseconds of the whole network."""
        return milliseconds(sum(piece.ns for piece in self.pieces()))

    @property
    def range_ms(self) -> tuple[float, float]:
        """The least and the most that it may be: all parts at one end of their ranges at once."""
        lows, highs = zip(*[(piece.low_ns, piece.high_ns) for piece in self.pieces()], strict=True)
        return milliseconds(sum(lows)), milliseconds(sum(highs))

    def coverage(self) -> dict[Method, float]:
        """Share of the whole that each method accounts for."""
        total = sum(piece.ns for piece in self.pieces())
        shares: dict[Method, int] = {}
        for piece in self.pieces():
            shares[piece.method] = shares.get(piece.method, 0) + piece.ns
        return {method: ns / total if total else 0.0 for method, ns in shares.items()}


LatencySource = Callable[[Plan], Latency]

NS_PER_MS = 10**6


def milliseconds(ns: int) -> float:
    """Nanoseconds as milliseconds."""
    return ns / NS_PER_MS


def given(ms: float) -> LatencySource:
    """A source that knows one figure for the whole network, and nothing about its parts."""
    ns = max(1, round(ms * NS_PER_MS))
    return lambda plan: Latency((), Timing(ns, ns, ns, "given"))
