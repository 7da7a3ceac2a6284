"""`efspec latency show`: what a device's table holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, Milliseconds, print_table
from efspec.cli.files import replaced
from efspec.cli.options import JsonOption
from efspec.cli.plot import FORMS

if TYPE_CHECKING:
    from efspec.latency.model import CostModelSpec
    from efspec.latency.table import DeviceTable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show", short_help="Show a table, or plot it.")(show)


def show(
    device: Annotated[
        str, typer.Argument(metavar="DEVICE", help="A shipped device, or a table's file.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Plot latency against width and resolution, as .svg or .png."
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Show the rows of a table: latencies, their range, and how each is known.

    Of a table with a cost model it shows how that compares with networks: those that it was
    fitted to, each also as it was predicted without its model, and others; and what they leave
    open.

    --plot draws the latencies of each kind of part against the width of its input, with a line for
    each resolution. It needs matplotlib.
    """
    from efspec.latency.devices import read_table

    if plot is not None and plot.suffix not in FORMS:
        raise typer.BadParameter(f"a plot ends in {' or '.join(FORMS)}", param_hint="--plot")
    table = read_table(device)
    if plot is not None:
        _plot(table, plot)
    if json_:
        typer.echo(json.dumps(table.model_dump(exclude_none=True), indent=2))
        return
    _print(table)


def _print(table: DeviceTable) -> None:
    from efspec.cost.latency import milliseconds

    rows: list[list[Cell]] = []
    network = {"network": table.network} if table.network else {}
    for key, figure in {**network, **dict(sorted(table.rows.items()))}.items():
        times = (figure.p50_ns, *figure.range)
        shown = [Milliseconds(milliseconds(ns)) for ns in times]
        rows.append([key, *shown, figure.n, figure.noise, figure.method])
    protocol = table.protocol
    said = [protocol.device, protocol.os, protocol.runtime, protocol.unit, protocol.precision]
    said += [f"batch {protocol.batch:,}", protocol.tool, protocol.date]
    title = f"{table.name}: {', '.join(word for word in said if word)}"
    print_table(["part", "ms", "p10", "p90", "n", "noise", "known"], rows, title)
    if table.model:
        print_model(table.model)


def print_model(model: CostModelSpec) -> None:
    """Show how a cost model compares with networks, and what they leave open."""
    from efspec.latency.residuals import residuals

    rows: list[list[Cell]] = [
        [
            one.network,
            "fitted" if one.use == "fit" else "compared",
            *[Milliseconds(ms) for ms in (one.ms, one.fitted_ms)],
            f"{one.fitted_error:+.1%}",
            Milliseconds(one.unseen_ms),
            f"{one.unseen_error:+.1%}",
        ]
        for one in residuals(model)
    ]
    columns = ["network", "use", "printed ms", "fitted ms", "error", "unseen ms", "error"]
    typer.echo()
    print_table(columns, rows, "cost model; unseen is what it said without the network's model")
    for error in model.held_out:
        typer.echo(
            f"unseen at {error.input}: median error {error.median:.1%},"
            f" largest {error.largest:.1%}, of {error.models} models"
        )
    for sentence in model.undetermined:
        typer.echo(f"open: {sentence}")


def _plot(table: DeviceTable, file: Path) -> None:
    from efspec.diagram.curves import curves
    from efspec.latency.panels import panels

    title = f"{table.name}: {table.protocol.device}, {table.protocol.runtime}"
    drawn = curves(panels(table), title, FORMS[file.suffix])
    with replaced(file) as temporary:
        temporary.write_bytes(drawn)
