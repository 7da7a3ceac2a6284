"""`efspec latency fit`: a cost model from latencies of whole networks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, Milliseconds, print_table
from efspec.cli.files import write_lines
from efspec.cli.latency_show import print_model
from efspec.cli.latency_specs import read_plans
from efspec.cli.options import JsonOption

if TYPE_CHECKING:
    from efspec.latency import DeviceTable
    from efspec.latency.fit import FitReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fit", short_help="Fit a cost model to latencies of whole networks.")(fit)


def fit(
    points: Annotated[
        Path, typer.Argument(metavar="POINTS", help="A file of points: networks and milliseconds.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="TABLE", help="Write the device's table there."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC", help="Write fitted rows for a spec's parts, too; may be repeated."
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Fit a cost model to latencies of whole networks, where nobody measured their parts.

    A latency is what every network costs and a sum over its ops: of bytes moved, of computing, of
    attention, none of which costs less than nothing. How many of these there are is chosen by what
    predicts networks that were left out; and how good that is is told by leaving each model out
    before the choice. What the points leave open is told as well.

    The table gives figures for parts that nobody measured, all of them `fitted`, with an interval
    as wide as the errors about networks that the model had not seen.
    """
    from efspec.latency.fit import fit as fitted
    from efspec.latency.points import read_points

    if rows and output is None:
        raise typer.BadParameter("rows are written into a table: add -o FILE", param_hint="--rows")
    read = read_points(points)
    report = fitted(read, points.parent, file=str(points))
    if output is not None:
        base = Path() if str(output) == "-" else output.parent
        table = report.table(read, os.path.relpath(points, base))
        text = _text(_with_rows(table, rows or []))
        write_lines(output, text.splitlines())
    if json_ and str(output) != "-":
        typer.echo(json.dumps(report.as_dict(), indent=2))
    elif str(output) != "-":
        _print(report)


def _text(table: DeviceTable) -> str:
    from efspec.latency import dump_table

    return dump_table(table)


def _with_rows(table: DeviceTable, specs: list[str]) -> DeviceTable:
    """The table with a fitted row for every part of some networks that its model can tell of.

    Raises:
        EfspecError: When a network is wrong, or has a part of which the model has seen no like.
    """
    from efspec.latency import Device, Figure
    from efspec.plan import parts
    from efspec.plan.key import block_key

    found: dict[str, Figure] = {}
    device = Device(table)
    for plan in read_plans(specs, None, None, None) if specs else []:
        for part, timing in zip(parts(plan), device(plan).blocks, strict=True):
            figure = Figure(
                p50_ns=timing.ns, p10_ns=timing.low_ns, p90_ns=timing.high_ns, method="fitted"
            )
            found[block_key(plan, part).text] = figure
    return table.model_copy(update={"rows": found}) if found else table


def _print(report: FitReport) -> None:
    from efspec.cost.latency import milliseconds

    typer.echo(f"{report.name}: {len(report.held)} networks, {report.tried} forms tried")
    fixed: list[Cell] = ["fixed", Milliseconds(milliseconds(report.fixed_ns)), "ms, each network"]
    terms: list[list[Cell]] = [
        [name, term.ns, f"ns per {term.per}"] for name, term in report.model.terms.given()
    ]
    print_table(["term", "costs", "of"], [fixed, *terms])
    print_model(report.model)
    low, high = report.model.interval.low, report.model.interval.high
    typer.echo(
        f"interval: {low} to {high} of what it says, from {report.model.interval.networks}"
        " networks that it had not seen"
    )
