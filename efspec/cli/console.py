"""What commands print: tables and progress on a terminal, plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import typer

from efspec.cli.interrupts import stop_if_seen
from efspec.errors import EfspecError

ItemT = TypeVar("ItemT")

HELD_ROWS = 1000
"""How many rows of a table are looked at before the first is shown."""
TICKS = 100
"""How many things are counted together: showing each takes longer than many of them do."""


class Signed(NamedTuple):
    """A number that is shown with its sign, being a change."""

    value: int | float


class Milliseconds(NamedTuple):
    """A latency, which is shown to the microsecond."""

    value: float


Cell = str | int | float | Signed | Milliseconds | None


def print_error(error: EfspecError) -> None:
    """Show diagnostics on standard error, and how many there are if there are several."""
    for diagnostic in error.diagnostics:
        typer.echo(diagnostic.render(), err=True)
    print_count(len(error.diagnostics))


def print_count(mistakes: int) -> None:
    """Show on standard error how many mistakes were told, if they were several."""
    if mistakes > 1:
        typer.echo(f"{mistakes:,} errors", err=True)


def print_notes(notes: Iterable[str]) -> None:
    """Show on standard error what was done that the user did not ask for in so many words."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], title: str = "") -> None:
    """Show a table on standard output; numbers stand on the right, unknown ones are a dash."""
    numeric, texts = _numeric(rows, len(columns)), _texts(rows)
    if sys.stdout and sys.stdout.isatty():
        _print_rich(columns, texts, numeric, title)
        return
    if title:
        typer.echo(title)
    _print_plain([list(columns), *texts], numeric, _widths([columns, *texts]))


def print_rows(columns: Sequence[str], rows: Iterator[Sequence[Cell]]) -> None:
    """Show a table of any length as its rows come, in columns as wide as the first rows need."""
    first = list(islice(rows, HELD_ROWS))
    more = next(rows, None)
    if more is None:
        print_table(columns, first)
        return
    numeric, texts = _numeric(first, len(columns)), _texts(first)
    widths = _widths([columns, *texts])
    _print_plain([list(columns), *texts], numeric, widths)
    _print_plain((_texts([row])[0] for row in chain([more], rows)), numeric, widths)


def _numeric(rows: Sequence[Sequence[Cell]], columns: int) -> list[bool]:
    return [
        any(isinstance(row[i], int | float | Signed | Milliseconds) for row in rows)
        for i in range(columns)
    ]


def _texts(rows: Iterable[Sequence[Cell]]) -> list[list[str]]:
    return [[_cell(cell) for cell in row] for row in rows]


def _widths(rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _print_plain(
    rows: Iterable[Sequence[str]], numeric: Sequence[bool], widths: Sequence[int]
) -> None:
    for row in rows:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())


def _print_rich(
    columns: Sequence[str], texts: list[list[str]], numeric: list[bool], title: str
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(title) or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    needed = 0
    for column, *cells, right in zip(columns, *texts, numeric, strict=True):
        whole = right or not any(" " in cell for cell in cells)
        table.add_column(column, justify="right" if right else "left", no_wrap=whole)
        words = [column, *cells] if whole else " ".join([column, *cells]).split()
        needed += max(map(len, words)) + 3
    for row in texts:
        table.add_row(*map(escape, row))
    # Texts wrap at spaces; names and numbers are never cut, though lines grow longer than wished.
    console = Console()
    console.width = max(console.width, needed)
    console.print(table)


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.2f}"
        case Signed(value):
            return f"{value:+,}" if isinstance(value, int) else f"{value:+,.2f}"
        case Milliseconds(value):
            return f"{value:,.3f}"
        case _:
            return cell


@contextmanager
def progress(total: int, *, left: bool = False) -> Iterator[Callable[[str], None]]:
    """Show what is being done on standard error, where that is a terminal.

    Gives a function that is called at the start of each of `total` steps with what it does, and
    that stops there if Ctrl-C was pressed.

    Args:
        total: How many steps there are.
        left: Whether to show how much time is left, where steps take about the same.
    """
    if not sys.stderr.isatty():
        yield lambda step: stop_if_seen()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        *([TextColumn("left:"), TimeRemainingColumn()] if left else []),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total)
        started = False

        def step(description: str) -> None:
            nonlocal started
            stop_if_seen()
            bar.update(task, description=description, advance=1 if started else 0)
            started = True

        yield step


@contextmanager
def ticking(things: str) -> Iterator[Callable[[ItemT], ItemT]]:
    """Count what comes by on standard error, where that is a terminal.

    Gives a function that is called with each of the things, and gives it back.
    """
    if not sys.stderr.isatty():
        yield lambda thing: thing
        return
    from rich.console import Console
    from rich.progress import (
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} " + things),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        count = 0

        def tick(thing: ItemT) -> ItemT:
            nonlocal count
            count += 1
            if count % TICKS == 0:
                bar.update(task, completed=count)
            return thing

        yield tick
