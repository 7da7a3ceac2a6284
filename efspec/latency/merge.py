"""Several tables of one protocol as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.latency.table import DeviceTable, Figure, Protocol
from efspec.spec.explain import explain
from efspec.spec.source_map import Source, SourceMap, tree

Prefer = Literal["first", "last", "measured"]

WHEN_AND_WITH = frozenset({"date", "tool"})
"""Fields of a protocol that may differ between figures which compare."""
TRUST = ("measured", "differenced", "apportioned", "interpolated", "fitted")
"""Methods, the one that is closest to the part itself first."""
NETWORK = "network"
"""What stands for a table's fixed cost where others are keys of parts."""


def check_same_protocol(one: Protocol, other: Protocol, file: str) -> None:
    """Refuse figures that do not compare.

    Args:
        one: How the first were taken.
        other: How the others were.
        file: Where the others are.

    Raises:
        EfspecError: When they were taken in different ways; one diagnostic for each field.
    """
    fields = [name for name in Protocol.model_fields if name not in WHEN_AND_WITH]
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in fields]
    mistakes = [
        Diagnostic(
            "other-protocol",
            f"{theirs!r} here, and {ours!r} is what it is to go with",
            field=f"protocol.{name}",
            file=file,
            expected="figures that were taken in the same way",
            fix="keep them in tables of their own: figures of two protocols do not compare",
        )
        for name, ours, theirs in pairs
        if ours != theirs
    ]
    if mistakes:
        raise EfspecError(mistakes)


def merge(tables: Mapping[str, DeviceTable], name: str, prefer: Prefer | None) -> DeviceTable:
    """One table with the rows of several.

    Args:
        tables: The tables by their files, at least one.
        name: Name of the new one.
        prefer: Which row to take where two differ: of the first table, of the last, or the one
            that is closer to a measurement, and of two that are as close, the one of more
            samples; None to refuse them.

    Raises:
        EfspecError: When they are of different protocols, have different rows of a part, or rows
            that contradict each other.
    """
    (_, first), *others = tables.items()
    figures = _figures(first)
    mistakes: list[Diagnostic] = []
    for file, table in others:
        check_same_protocol(first.protocol, table.protocol, file)
        for key, figure in _figures(table).items():
            mine = figures.setdefault(key, figure)
            if mine == figure:
                continue
            if prefer is None:
                mistakes.append(_conflict(key, mine, figure, file))
            elif prefer == "last" or (prefer == "measured" and _rank(figure) < _rank(mine)):
                figures[key] = figure
    if mistakes:
        raise EfspecError(mistakes)
    models = {file: table for file, table in tables.items() if table.model}
    fitted = _fitted(models, prefer)
    dates = [table.protocol.date for table in tables.values()]
    network = figures.pop(NETWORK, None)
    rows = {key: figures[key] for key in sorted(figures)}
    try:
        return DeviceTable(
            efspec=1,
            name=name,
            description=first.description,
            protocol=first.protocol.model_copy(update={"date": max(dates)}),
            network=network,
            rows=rows,
            points=fitted.points if fitted else "",
            model=fitted.model if fitted else None,
        )
    except ValidationError as error:  # rows of the one contradict rows of another
        nowhere = SourceMap(tree({}, Source(list(tables)[-1], first_line=0)))
        raise EfspecError(explain(error, nowhere, DeviceTable)) from None


def _fitted(tables: Mapping[str, DeviceTable], prefer: Prefer | None) -> DeviceTable | None:
    """The table whose cost model is taken, of those that have one.

    Raises:
        EfspecError: When there are several different ones, and no order among them.
    """
    if not tables:
        return None
    (_, first), *others = tables.items()
    for file, table in others:
        if table.model != first.model and prefer not in ("first", "last"):
            raise fail(
                "conflicting-rows",
                "it has another cost model than the tables before",
                field="model",
                file=file,
                fix="say which to take: `--prefer first` or `--prefer last`",
            )
    return list(tables.values())[-1] if prefer == "last" else first


def _figures(table: DeviceTable) -> dict[str, Figure]:
    return dict(table.rows) | ({NETWORK: table.network} if table.network else {})


def _rank(figure: Figure) -> tuple[int, int]:
    return TRUST.index(figure.method), -(figure.n or 0)


def _conflict(key: str, mine: Figure, other: Figure, file: str) -> Diagnostic:
    return Diagnostic(
        "conflicting-rows",
        f"{other.p50_ns:,} ns {other.method} here, and {mine.p50_ns:,} ns {mine.method} before",
        field=key if key == NETWORK else f"rows.{key}",
        file=file,
        fix="say which to take: `--prefer first`, `--prefer last` or `--prefer measured`",
    )
