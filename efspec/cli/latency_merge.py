"""`efspec latency merge`: several tables as one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from efspec.cli.files import write_lines
from efspec.cli.latency_measure import table_name


class Prefer(StrEnum):
    """Which of two rows to take."""

    first = "first"
    last = "last"
    measured = "measured"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("merge", short_help="Merge tables of one protocol.")(merge)


def merge(
    tables: Annotated[
        list[str], typer.Argument(metavar="TABLE", help="Tables: files, or shipped devices.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Write there; - is stdout.")
    ],
    prefer: Annotated[
        Prefer | None, typer.Option(help="Which row to take where two tables have other figures.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the table; by default that of its file.")
    ] = None,
) -> None:
    """Merge tables that were taken in the same way: the rows of all of them.

    Two different figures of one part are a mistake, unless --prefer says which to take: that of
    the first table, of the last, or the one that is closer to a measurement.
    """
    from efspec.latency.devices import dump_table, read_table
    from efspec.latency.merge import merge as merge_tables

    read = {file: read_table(file) for file in tables}
    default = read[tables[0]].name if str(output) == "-" else table_name(output)
    whole = merge_tables(read, name or default, prefer.value if prefer else None)
    write_lines(output, dump_table(whole).splitlines())
