"""The score of a network: all figures of it, whole and in parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from efspec.cost.counts import KINDS, Counts, Kind, count_module, count_op, kind_of, total
from efspec.cost.latency import BlockLatency, LatencySource, Method, Timing, milliseconds
from efspec.cost.memory import bytes_of, peak_elements
from efspec.cost.mes import Mes
from efspec.plan import Part, PlacedOp, Plan, head_steps, parts
from efspec.record import Record

METRICS = ("params", "params_folded", "macs", "activation_bytes_peak")
"""Figures of a network that a score may be made of, besides its latency."""


class Row(Record):
    """Figures of one part of a network: a stage, a block, an op, or all ops of a kind.

    Attributes:
        name: Stage number, module path, op id or kind.
        type: What it is: a block's class, an op's name; empty for stages and kinds.
        input: Sizes of what it takes; empty where it is not one place in the network.
        output: Sizes of what it gives.
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
        latency_ms: Milliseconds, where a source knows them.
        method: How they are known; `mixed` where parts differ.
    """

    name: str
    type: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    params: int
    params_folded: int
    macs: int
    latency_ms: float | None = None
    method: Method | Literal["mixed"] | None = None


class Summary(Record):
    """The figures of a network as a whole.

    Attributes:
        name: Name of the spec.
        input: Channels, height and width.
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
        activation_bytes_peak: Largest memory of activations at batch 1 in half precision.
        latency_ms: Milliseconds, or None without a latency source.
        mes: Mobile Efficiency Score, or None without a latency source.
        hash: sha256 of the spec's resolved dump.
    """

    name: str
    input: tuple[int, int, int]
    params: int
    params_folded: int
    macs: int
    activation_bytes_peak: int
    latency_ms: float | None
    mes: float | None
    hash: str


class Score(Summary):
    """What a network costs, whole and in parts.

    Attributes:
        device: Device of the latency, or None.
        latency_range_ms: The least and the most milliseconds that it may be, or None.
        latency_fixed_ms: Milliseconds that are of no part: of the call, its input and its output;
            all of them where only the whole is known.
        coverage: Share of the latency that each method accounts for, or None without a source.
        stages: Figures per stage; stem and head are the first and the last row.
        blocks: Figures per block.
    """

    device: str | None
    latency_range_ms: tuple[float, float] | None
    latency_fixed_ms: float | None
    coverage: dict[Method, float] | None
    stages: tuple[Row, ...]
    blocks: tuple[Row, ...]

    def summary(self) -> Summary:
        """The figures of the whole."""
        return Summary(*[getattr(self, name) for name in Summary.fields])


def score(plan: Plan, latency: LatencySource | None = None, mes: Mes | None = None) -> Score:
    """What a network costs.

    Args:
        plan: The network.
        latency: Where its latency comes from; without one, latency and MES stay unknown.
        mes: How size and latency become one figure; without it, MES stays unknown.

    Raises:
        EfspecError: When the MES is too large for a number.
    """
    known = latency(plan) if latency else None
    timed = {block.path: block for block in known.blocks} if known else {}
    pieces = parts(plan)
    counts = [_part_counts(plan, part) for part in pieces]
    blocks = tuple(
        _row(part.path, part.type, own, part.input.sizes, part.output.sizes, _timings(timed, part))
        for part, own in zip(pieces, counts, strict=True)
    )
    whole = total(counts)
    summary = Summary(
        name=plan.name,
        input=plan.input,
        params=whole.params,
        params_folded=whole.params_folded,
        macs=whole.macs,
        activation_bytes_peak=bytes_of(peak_elements(plan.network)),
        latency_ms=None,
        mes=None,
        hash=plan.hash,
    )
    if known:
        summary = rated(summary, known.ms, mes)
    details: dict[str, Any] = {
        "device": (known.device or None) if known else None,
        "latency_range_ms": known.range_ms if known else None,
        "latency_fixed_ms": milliseconds(known.fixed.ns) if known and known.fixed else None,
        "coverage": known.coverage() if known else None,
        "stages": tuple(_stage_rows(pieces, blocks, timed)),
        "blocks": blocks,
    }
    return Score(**dict(zip(Summary.fields, summary.values(), strict=True)), **details)


def rated(summary: Summary, latency_ms: float, mes: Mes | None) -> Summary:
    """The figures of a network whose latency is known, with its MES.

    Raises:
        EfspecError: When the MES is too large for a number.
    """
    metrics = {name: getattr(summary, name) for name in METRICS} | {"latency_ms": latency_ms}
    return summary.replaced(latency_ms=latency_ms, mes=mes(metrics) if mes else None)


def op_rows(plan: Plan) -> list[Row]:
    """Figures of each op."""
    return [
        _row(
            placed.id,
            type(placed.op).__name__,
            _placed_counts(placed),
            placed.input_shapes[0].sizes,
            placed.output_shapes[0].sizes,
        )
        for placed in plan.ops()
    ]


def kind_rows(plan: Plan) -> list[Row]:
    """Figures of each kind of op that the network has."""
    by_kind: dict[Kind, list[Counts]] = {}
    for placed in plan.ops():
        by_kind.setdefault(kind_of(placed), []).append(_placed_counts(placed))
    return [_row(kind, "", total(by_kind[kind])) for kind in KINDS if kind in by_kind]


def _stage_rows(
    pieces: list[Part], blocks: tuple[Row, ...], timed: Mapping[str, BlockLatency]
) -> Iterable[Row]:
    groups: dict[str, list[tuple[Part, Row]]] = {}
    for part, row in zip(pieces, blocks, strict=True):
        name = part.path if part.stage is None else str(part.stage)
        groups.setdefault(name, []).append((part, row))
    for name, group in groups.items():
        rows = [row for _, row in group]
        counts = total(Counts(row.params, row.params_folded, row.macs) for row in rows)
        timings = [timing for part, _ in group for timing in _timings(timed, part)]
        known = timings if len(timings) == len(rows) else []
        yield _row(name, "", counts, rows[0].input, rows[-1].output, known)


def _timings(timed: Mapping[str, BlockLatency], part: Part) -> list[BlockLatency]:
    """What is known of a part's latency: one timing or none."""
    return [timed[part.path]] if part.path in timed else []


def _part_counts(plan: Plan, part: Part) -> Counts:
    if part.module:
        return count_module(part.module)
    return total(
        count_op(step.op, tuple(v.shape for v in step.inputs), step.outputs[0].shape)
        for step in head_steps(plan)
    )


def _placed_counts(placed: PlacedOp) -> Counts:
    return count_op(placed.op, placed.input_shapes, placed.output_shapes[0])


def _row(
    name: str,
    type_: str,
    counts: Counts,
    input_: tuple[int, ...] = (),
    output: tuple[int, ...] = (),
    timings: Sequence[Timing] = (),
) -> Row:
    ms = milliseconds(sum(timing.ns for timing in timings)) if timings else None
    methods = {timing.method for timing in timings}
    method = None if not methods else "mixed" if len(methods) > 1 else methods.pop()
    return Row(name, type_, input_, output, *counts, latency_ms=ms, method=method)
