"""What commands print: tables and progress on a terminal, plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer

from efspec.errors import EfspecError

Cell = str | int | float | None


def print_error(error: EfspecError) -> None:
    """Show diagnostics on standard error, and how many there are if there are several."""
    for diagnostic in error.diagnostics:
        typer.echo(diagnostic.render(), err=True)
    if len(error.diagnostics) > 1:
        typer.echo(f"{len(error.diagnostics)} errors", err=True)


def print_notes(notes: Iterable[str]) -> None:
    """Show on standard error what was done that the user did not ask for in so many words."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], title: str = "") -> None:
    """Show a table on standard output; numbers stand on the right, unknown ones are a dash."""
    numeric = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    texts = [[_cell(cell) for cell in row] for row in rows]
    if sys.stdout and sys.stdout.isatty():
        _print_rich(columns, texts, numeric, title)
        return
    if title:
        typer.echo(title)
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in (list(columns), *texts):
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
        case _:
            return cell


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show what is being done on standard error, where that is a terminal.

    Gives a function that is called at the start of each of `total` steps with what it does.
    """
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total)
        started = False

        def step(description: str) -> None:
            nonlocal started
            bar.update(task, description=description, advance=1 if started else 0)
            started = True

        yield step
