"""The score of a network: all figures of it, whole and in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from efspec.cost.counts import KINDS, Counts, count, kind_of
from efspec.cost.latency import LatencySource, Method
from efspec.cost.memory import peak_activation_bytes
from efspec.cost.mes import Mes
from efspec.plan import Part, PlacedOp, Plan, parts


@dataclass(frozen=True)
class Row:
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
    """

    name: str
    type: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    params: int
    params_folded: int
    macs: int
    latency_ms: float | None = None


@dataclass(frozen=True)
class Score:
    """What a network costs.

    Attributes:
        name: Name of the spec.
        hash: sha256 of the spec's resolved dump.
        device: Device of the latency, or None.
        input: Channels, height and width.
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
        activation_bytes_peak: Largest memory of activations at batch 1 in half precision.
        latency_ms: Milliseconds, or None without a latency source.
        mes: Mobile Efficiency Score, or None without a latency source.
        coverage: Share of the latency that each method accounts for, or None without a source.
        stages: Figures per stage; stem and head are the first and the last row.
        blocks: Figures per block.
    """

    name: str
    hash: str
    device: str | None
    input: tuple[int, int, int]
    params: int
    params_folded: int
    macs: int
    activation_bytes_peak: int
    latency_ms: float | None
    mes: float | None
    coverage: dict[Method, float] | None
    stages: tuple[Row, ...]
    blocks: tuple[Row, ...]

    def as_dict(self) -> dict[str, object]:
        """The score for programs; `schemas/score.schema.json` describes it."""
        return asdict(self)


def score(plan: Plan, latency: LatencySource | None = None, mes: Mes | None = None) -> Score:
    """What a network costs.

    Args:
        plan: The network.
        latency: Where its latency comes from; without one, latency and MES stay unknown.
        mes: How size and latency become one figure; without it, MES stays unknown.
    """
    known = latency(plan) if latency else None
    ms = {block.path: block.ms for block in known.blocks} if known else {}
    pieces = parts(plan)
    blocks = tuple(_part_row(part, ms.get(part.path)) for part in pieces)
    total = sum((count(part.ops) for part in pieces), Counts())
    metrics: dict[str, float] = {
        "params": total.params,
        "params_folded": total.params_folded,
        "macs": total.macs,
        "activation_bytes_peak": peak_activation_bytes(plan),
    }
    if known:
        metrics["latency_ms"] = known.ms
    return Score(
        name=plan.name,
        hash=plan.hash,
        device=(known.device or None) if known else None,
        input=plan.input,
        params=total.params,
        params_folded=total.params_folded,
        macs=total.macs,
        activation_bytes_peak=int(metrics["activation_bytes_peak"]),
        latency_ms=known.ms if known else None,
        mes=mes(metrics) if known and mes else None,
        coverage=known.coverage if known else None,
        stages=tuple(_stage_rows(pieces, blocks)),
        blocks=blocks,
    )


def op_rows(plan: Plan) -> list[Row]:
    """Figures of each op."""
    return [
        _row(
            placed.id,
            type(placed.op).__name__,
            [placed],
            placed.input_shapes[0].sizes,
            placed.output_shapes[0].sizes,
        )
        for placed in plan.ops()
    ]


def kind_rows(plan: Plan) -> list[Row]:
    """Figures of each kind of op that the network has."""
    by_kind = _grouped(plan.ops(), kind_of)
    return [_row(kind, "", by_kind[kind]) for kind in KINDS if kind in by_kind]


def _stage_rows(pieces: list[Part], blocks: tuple[Row, ...]) -> Iterable[Row]:
    groups: dict[str, list[tuple[Part, Row]]] = {}
    for part, row in zip(pieces, blocks, strict=True):
        name = part.path if part.stage is None else str(part.stage)
        groups.setdefault(name, []).append((part, row))
    for name, members in groups.items():
        ops = [placed for part, _ in members for placed in part.ops]
        known = [row.latency_ms for _, row in members if row.latency_ms is not None]
        first, last = members[0][0], members[-1][0]
        yield _row(
            name,
            "",
            ops,
            first.input.sizes,
            last.output.sizes,
            sum(known) if len(known) == len(members) else None,
        )


def _part_row(part: Part, ms: float | None) -> Row:
    return _row(part.path, part.type, part.ops, part.input.sizes, part.output.sizes, ms)


def _row(
    name: str,
    type_: str,
    ops: Iterable[PlacedOp],
    input_: tuple[int, ...] = (),
    output: tuple[int, ...] = (),
    ms: float | None = None,
) -> Row:
    counts = count(ops)
    return Row(name, type_, input_, output, counts.params, counts.params_folded, counts.macs, ms)


def _grouped(ops: Iterable[PlacedOp], key: Callable[[PlacedOp], str]) -> dict[str, list[PlacedOp]]:
    groups: dict[str, list[PlacedOp]] = {}
    for placed in ops:
        groups.setdefault(key(placed), []).append(placed)
    return groups
