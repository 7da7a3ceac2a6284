"""`efspec search space`: how large a space is, and what its networks cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efspec.cli.console import Cell, print_table
from efspec.cli.files import replaced
from efspec.cli.options import JsonOption
from efspec.cli.plot import FORMS
from efspec.errors import EfspecError

if TYPE_CHECKING:
    from efspec.search import CompiledSpace, Figures
    from efspec.spec.candidates import Candidate
    from efspec.spec.space import SpaceSpec

DRAWN = 100_000
"""How many members are drawn to see what they cost."""
SHOWN = 20_000
"""How many of them a plot shows."""

SpaceArgument = Annotated[
    str, typer.Argument(metavar="SPACE", help="A shipped space such as v2, or a space's file.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Take latencies of a device: shipped, or of a table."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("space", short_help="Tell how large a space is, and what its networks cost.")(space)


def space(
    space: SpaceArgument,
    device: DeviceOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Plot what its networks cost, as .svg or .png."),
    ] = None,
    seed: SeedOption = 0,
    json_: JsonOption = False,
) -> None:
    """Tell how many networks a space has, and what the smallest, the largest and random ones cost.

    Random ones are drawn as `efspec search sample` does. Shipped networks that are members of the
    space are named.

    --plot shows the cloud of random members, with the shipped ones in it: by latency and MES with
    --device, else by parameters and MACs. It needs matplotlib.
    """
    from efspec.search import sampled
    from efspec.search.arrays import of_each
    from efspec.spec.candidates import largest, size, smallest
    from efspec.spec.spaces import read_space

    if plot is not None and plot.suffix not in FORMS:
        raise typer.BadParameter(f"a plot ends in {' or '.join(FORMS)}", param_hint="--plot")
    read = read_space(space)
    compiled = compiled_for(read, device)
    drawn = compiled.figures(sampled(read, DRAWN, seed), peak=True)
    members = shipped_members(read)
    named = {"smallest": smallest(read), "largest": largest(read), **members}
    costs = compiled.figures(of_each(read, named.values()), peak=True)
    rows = _ranges(drawn, costs, list(named))
    if plot is not None:
        _plot(plot, read, drawn, costs, list(named))
    if json_:
        found = {"name": read.name, "members": size(read), "drawn": DRAWN, "metrics": rows}
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"{read.name}: {size(read):,} networks; {DRAWN:,} were drawn\n")
    columns = list(rows[0])
    table: list[list[Cell]] = [list(row.values()) for row in rows]
    print_table(columns, table)


def compiled_for(space: SpaceSpec, device: str | None) -> CompiledSpace:
    """A space with the latencies of a device, if one is named, and its objective.

    Raises:
        EfspecError: When the device's table does not say how long a part takes.
    """
    from efspec.api import load_mes, mes_of
    from efspec.latency import device_source
    from efspec.search import compiled

    source = device_source(device) if device is not None else None
    return compiled(space, source, mes_of(space.objective) if space.objective else load_mes())


def shipped_members(space: SpaceSpec) -> dict[str, Candidate]:
    """The shipped networks that are members of a space."""
    from efspec.resources import shipped_specs
    from efspec.spec.candidates import candidate_of
    from efspec.spec.loader import load

    found = {}
    for name in shipped_specs():
        try:
            found[name] = candidate_of(space, load(name))
        except EfspecError:
            continue
    return found


def _ranges(drawn: Figures, costs: Figures, names: list[str]) -> list[dict[str, Any]]:
    """For each metric, what it is over the drawn members and of those that have a name."""
    rows = []
    own = costs.columns()
    for metric, values in drawn.columns().items():
        ordered = sorted(values.tolist())
        quantiles = {"least": 0, "median": len(ordered) // 2, "most": len(ordered) - 1}
        row = {"metric": metric, **{name: ordered[i] for name, i in quantiles.items()}}
        rows.append(row | dict(zip(names, own[metric].tolist(), strict=True)))
    return rows


def _plot(file: Path, space: SpaceSpec, drawn: Figures, costs: Figures, names: list[str]) -> None:
    from efspec.diagram.cloud import cloud
    from efspec.diagram.pareto import Axis, Point

    timed = drawn.latency_ms is not None
    x, y = ("latency_ms", "mes") if timed and drawn.mes is not None else ("params", "macs")
    labels = {
        "latency_ms": Axis("latency in ms"),
        "mes": Axis("MES", more_is_better=True),
        "params": Axis("parameters"),
        "macs": Axis("MACs"),
    }
    own = costs.columns()
    points = [
        Point(name, *pair)
        for name, *pair in zip(names, own[x].tolist(), own[y].tolist(), strict=True)
    ]
    known = drawn.columns()
    xs, ys = (known[name][:SHOWN].tolist() for name in (x, y))
    title = f"{space.name}: {len(xs):,} random networks"
    picture = cloud(xs, ys, points, (labels[x], labels[y]), title, FORMS[file.suffix])
    with replaced(file) as temporary:
        temporary.write_bytes(picture)
