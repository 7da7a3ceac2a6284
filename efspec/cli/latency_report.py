"""What `efspec latency measure` says of what it has seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from efspec.cli.console import Cell, Milliseconds, print_table

if TYPE_CHECKING:
    from efspec.latency.measure import Batch
    from efspec.latency.table import DeviceTable
    from efspec.plan.key import BlockKey


def print_measured(table: DeviceTable, batches: Sequence[Batch], *, before: int) -> None:
    """Show the parts that were measured.

    Args:
        table: The table that they are for.
        batches: What was seen.
        before: How many parts the table had before.
    """
    from efspec.cost.latency import milliseconds

    rows: list[list[Cell]] = []
    for one in (one for batch in batches for one in batch.measured):
        times = (one.figure.p50_ns, *one.figure.range)
        rows.append(
            [
                one.key.text,
                *[Milliseconds(milliseconds(ns)) for ns in times],
                one.figure.noise,
                one.rounds,
                one.dropped,
                "in doubt" if one.doubts else "fine",
            ]
        )
    title = f"{table.name}: {len(rows):,} kinds of parts measured"
    title += f", {before:,} there before" if before else ""
    print_table(["part", "ms", "p10", "p90", "noise", "rounds", "dropped", ""], rows, title)


def as_dict(table: DeviceTable, batches: Sequence[Batch], *, kept: bool) -> dict[str, object]:
    """The same for programs.

    Args:
        table: The table that they are for.
        batches: What was seen.
        kept: Whether what should not be believed is written, too.
    """
    return {
        "name": table.name,
        "protocol": table.protocol.model_dump(),
        "network": table.network.model_dump(exclude_none=True) if table.network else None,
        "slowdown": [round(batch.slowdown, 4) for batch in batches],
        "parts": [
            {
                "key": one.key.text,
                **one.figure.model_dump(exclude_none=True),
                "bend": round(one.bend, 4),
                "rounds": one.rounds,
                "dropped": one.dropped,
                "doubts": one.doubts,
                "written": kept or not one.doubts,
            }
            for batch in batches
            for one in batch.measured
        ],
    }


def doubts(batches: Sequence[Batch], *, kept: bool) -> Iterator[str]:
    """What should not be believed, and why."""
    what = "written all the same" if kept else "not written"
    for one in (one for batch in batches for one in batch.measured):
        if one.doubts:
            yield f"{one.key}: {what}: {'; '.join(one.doubts)}"


def changes_of_speed(
    batches: Sequence[Batch], begun: DeviceTable, watched: BlockKey
) -> Iterator[str]:
    """What the part that is watched says of the machine.

    Args:
        batches: What was seen.
        begun: The table as it was before.
        watched: The part.
    """
    from efspec.latency.sampling import SLOWER, slope

    times = [slope(one) for batch in batches for one in batch.watched]
    row = begun.rows.get(watched.text)
    if row and row.p50_ns and times and abs(median(times) / row.p50_ns - 1) > SLOWER:
        change = median(times) / row.p50_ns - 1
        yield (
            f"{watched} takes {change:+.0%} against the table's row, which was measured before:"
            " to have figures that compare, measure all with --again"
        )
    slowest = max((batch.slowdown for batch in batches), default=0.0)
    if slowest > SLOWER:
        yield f"the machine was up to {slowest:.0%} slower than at its best; is it doing more?"
