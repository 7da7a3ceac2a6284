"""What differs between the costs of two networks, as a whole and per stage."""

from __future__ import annotations

from collections.abc import Iterable

from efspec.cost.report import Row, Score
from efspec.record import Record


class Delta(Record):
    """A figure of two networks.

    Attributes:
        a: The first network's, or null where it has no such stage.
        b: The second network's, or null where it has no such stage.
        change: By how much the second's is larger; what is not there counts as 0.
        relative: That change over the first's figure; null where that is 0 or not there.
    """

    a: int | None
    b: int | None
    change: int
    relative: float | None


class TotalCosts(Record):
    """Costs of two whole networks.

    Attributes:
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
        activation_bytes_peak: Largest memory of activations at batch 1 in half precision.
    """

    params: Delta
    params_folded: Delta
    macs: Delta
    activation_bytes_peak: Delta


class StageCosts(Record):
    """Costs of two stages that belong together, of the stems, or of the heads.

    Attributes:
        a: Name of the row in the first network's score, or null where it has none.
        b: Name of the row in the second network's score, or null where it has none.
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
    """

    a: str | None
    b: str | None
    params: Delta
    params_folded: Delta
    macs: Delta


def compare_totals(a: Score, b: Score) -> TotalCosts:
    """Costs of two whole networks."""
    return TotalCosts(
        **{name: delta(getattr(a, name), getattr(b, name)) for name in TotalCosts.fields}
    )


def compare_stages(
    a: Score, b: Score, stages: Iterable[tuple[int | None, int | None]]
) -> tuple[StageCosts, ...]:
    """Costs per stage, in order.

    Args:
        a: Score of the first network.
        b: Score of the second network.
        stages: Which of its stages belong together, None where there is none. Stages that a
            backbone leaves out, since it returns nothing of them, may be among them.
    """
    known, found = ({row.name: row for row in one.stages} for one in (a, b))
    paired = [tuple(None if i is None else str(i) for i in pair) for pair in stages]
    numbered_a, numbered_b = ({pair[side] for pair in paired} for side in (0, 1))
    others = [name for name in known if name not in numbered_a]
    others += [name for name in found if name not in numbered_b and name not in known]
    first = others[:1]  # the stem stands before the stages, the rest behind them
    names = [*((n, n) for n in first), *paired, *((n, n) for n in others[1:])]
    rows = (
        (known.get(one) if one else None, found.get(other) if other else None)
        for one, other in names
    )
    return tuple(_stage(one, other) for one, other in rows if one or other)


def delta(a: int | None, b: int | None) -> Delta:
    """A figure of two networks, either of which may lack it."""
    change = (b or 0) - (a or 0)
    return Delta(a, b, change, change / a if a and b is not None else None)


def _stage(a: Row | None, b: Row | None) -> StageCosts:
    figures = {
        name: delta(getattr(a, name) if a else None, getattr(b, name) if b else None)
        for name in ("params", "params_folded", "macs")
    }
    return StageCosts(a=a.name if a else None, b=b.name if b else None, **figures)
