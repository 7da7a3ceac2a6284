"""The table of a device: how long the parts of networks take there, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Expected, Part
from efspec.errors import Diagnostic
from efspec.latency.hull import below, grouped
from efspec.latency.model import CostModelSpec
from efspec.plan.key import BlockKey, parse_key
from efspec.spec.schema import SEVERAL, FormatNumber
from efspec.spec.source_map import Mistake

MAX_NS = 10**12
"""The longest latency: a thousand seconds."""
MAX_ROWS = 4096
CONTRADICTION = 20
NOISE_NS = 100_000
"""A block may seem slower than one that holds it, by noise; not so many times, nor by so much."""

Method = Literal["measured", "differenced", "apportioned", "interpolated", "fitted"]
Precision = Literal["fp16", "fp32", "int8"]

Nanoseconds = Annotated[
    int, Field(ge=0, le=MAX_NS), Expected(f"nanoseconds, an integer from 0 to {MAX_NS:,}")
]
Words = Annotated[
    str, StringConstraints(max_length=200), Expected("a text of up to 200 characters")
]


class Protocol(Part):
    """How latencies were taken; figures of two protocols do not compare."""

    device: Words
    """The device, as its maker calls it."""
    os: Words
    """Operating system and its version."""
    runtime: Words
    """What ran the network: Core ML, torch, onnxruntime, with its version where it is known."""
    unit: Words
    """What it ran on: all, cpu, gpu, ane, or a number of threads."""
    precision: Annotated[Precision, Expected("fp16, fp32 or int8")]
    """Of weights and activations."""
    batch: Annotated[int, Field(ge=1, le=65536), Expected("an integer from 1 to 65,536")] = 1
    """Images at a time; a latency is that of the whole batch."""
    tool: Words = ""
    """What took the times, with its version."""
    date: Annotated[
        str,
        StringConstraints(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$"),
        Expected("a date: 2026-11-23"),
    ] = ""
    """When."""


class Figure(Part):
    """One latency."""

    p50_ns: Nanoseconds
    """Median in nanoseconds."""
    p10_ns: Nanoseconds | None = None
    """What a tenth of the samples stay below; of a fitted figure, the low end of its interval."""
    p90_ns: Nanoseconds | None = None
    """What a tenth of the samples exceed; of a fitted figure, the high end of its interval."""
    n: Annotated[int, Field(ge=1), Expected("an integer from 1")] | None = None
    """How many samples."""
    noise: (
        Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), Expected("a share, from 0")]
        | None
    ) = None
    """How far its samples contradict each other, as a share; above 0.05 it is in doubt."""
    method: Annotated[
        Method, Expected("measured, differenced, apportioned, interpolated or fitted")
    ]
    """How it is known."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.range
        if not low <= self.p50_ns <= high:
            raise PydanticCustomError(
                "not-in-order",
                "p10, p50 and p90 do not rise",
                {"expected": "p10_ns <= p50_ns <= p90_ns, all in nanoseconds"},
            )
        return self

    @property
    def range(self) -> tuple[int, int]:
        """From p10 to p90, which are p50 where they are not known."""
        low = self.p50_ns if self.p10_ns is None else self.p10_ns
        return low, self.p50_ns if self.p90_ns is None else self.p90_ns


Rows = Annotated[
    dict[str, Figure], Field(max_length=MAX_ROWS), Expected(f"at most {MAX_ROWS:,} rows")
]


class DeviceTable(Part):
    """The latencies of a device: of parts of networks, and of being called at all."""

    efspec: FormatNumber
    """Version of the format of this file."""
    name: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100),
        Expected("a name of small letters, digits, dots, hyphens and underscores"),
    ]
    """Name that `--device` takes."""
    description: Annotated[
        str, StringConstraints(max_length=2000), Expected("a text of up to 2,000 characters")
    ] = ""
    """Where the figures come from, for people."""
    protocol: Protocol
    """How they were taken."""
    network: Figure | None = None
    """What every network costs beside its parts: the call, its input and its output."""
    rows: Rows = Field(default_factory=dict)
    """Latency of each part, by its key."""
    points: Words = ""
    """File of the points that the model was fitted to, relative to this one."""
    model: CostModelSpec | None = None
    """What parts cost that no row says."""

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        mistakes = [*_no_keys(self.rows), *_contradictions(self.figures)]
        if mistakes:
            raise PydanticCustomError(SEVERAL, "the rows do not fit", {"mistakes": mistakes})
        return self

    @cached_property
    def figures(self) -> dict[BlockKey, Figure]:
        """The rows by their keys."""
        pairs = ((parse_key(text), figure) for text, figure in self.rows.items())
        return {key: figure for key, figure in pairs if key}


def _no_keys(rows: Iterable[str]) -> Iterator[Mistake]:
    """What is wrong with the names of rows."""
    for text in rows:
        if parse_key(text) is None:
            message = "this is no block key"
            expected = "a line of `efspec latency list`: FFN(hidden_dim=128; act=gelu) @ 32x56x56"
            yield ("rows", text), Diagnostic("bad-block-key", message, expected=expected)


def _contradictions(figures: Mapping[BlockKey, Figure]) -> Iterator[Mistake]:
    """Rows of which the smaller block takes far longer: one is in another unit, or of another."""
    for group in grouped(figures).values():
        # Thousands of rows are compared with each other, and floats compare fast.
        rows = [(tuple(map(float, p)), key, *figures[key].range) for p, key in group.items()]
        for point, key, low, _ in rows:
            for larger, other, _, high in rows:
                if low > max(NOISE_NS, CONTRADICTION * high) and below(point, larger):
                    message = (
                        f"it takes at least {low:,} ns, and {other}, which is no smaller in any"
                        f" size, at most {high:,} ns"
                    )
                    fix = "see whether one of them is in another unit than nanoseconds"
                    yield ("rows", key.text), Diagnostic("contradictory-rows", message, fix=fix)
                    break
