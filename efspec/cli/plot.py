"""`efspec score --plot`: what is plotted, and writing it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from efspec.cli.files import replaced

if TYPE_CHECKING:
    from efspec.cli.scores import Scored
    from efspec.cost import Summary
    from efspec.diagram.pareto import Axis, Point


class Metric(StrEnum):
    """What an axis shows."""

    params = "params"
    params_folded = "params_folded"
    macs = "macs"
    memory = "memory"
    latency = "latency"
    mes = "mes"


OF_LATENCY = (Metric.latency, Metric.mes)
"""What is known only where a latency is."""
FORMS: dict[str, Literal["svg", "png"]] = {".svg": "svg", ".png": "png"}
"""The form of a plot by the end of its file's name."""

PlotOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Plot the specs and their Pareto front, as .svg or .png."),
]
XOption = Annotated[
    Metric | None,
    typer.Option("--x", help="What the plot shows from left to right; params, or the latency."),
]
YOption = Annotated[
    Metric | None,
    typer.Option("--y", help="What the plot shows upwards; macs, or the MES where it is known."),
]


class Chart(NamedTuple):
    """A plot that is to be written."""

    file: Path
    x: Metric
    y: Metric
    points: list[Point]


def chart(file: Path | None, x: Metric | None, y: Metric | None, *, timed: bool) -> Chart | None:
    """The plot that is asked for, still without points; None if there is none.

    Args:
        file: Where to.
        x: What it shows from left to right.
        y: What it shows upwards.
        timed: Whether there are latencies.

    Raises:
        BadParameter: When its file has no form, or its axes cannot be shown.
        EfspecError: When matplotlib is not installed.
    """
    if file is None:
        for option, axis in (("--x", x), ("--y", y)):
            if axis is not None:
                raise typer.BadParameter("it goes with --plot", param_hint=option)
        return None
    if file.suffix not in FORMS:
        raise typer.BadParameter("the name ends in .svg or .png", param_hint="--plot")
    for option, axis in (("--x", x), ("--y", y)):
        if axis in OF_LATENCY and not timed:
            raise typer.BadParameter("it is unknown without a latency", param_hint=option)
    from efspec.diagram.drawing import check_matplotlib

    check_matplotlib()
    return Chart(
        file=file,
        x=x or (Metric.latency if timed else Metric.params),
        y=y or (Metric.mes if timed else Metric.macs),
        points=[],
    )


def collected(scored: Iterator[Scored], chart: Chart) -> Iterator[Scored]:
    """The same scores, while what the plot shows of them is kept."""
    from efspec.diagram.pareto import Point

    for one, rows in scored:
        chart.points.append(Point(one.name, _figure(one, chart.x), _figure(one, chart.y)))
        yield one, rows


def write_plot(chart: Chart) -> None:
    """Write a plot, if there is a network in it."""
    from efspec.diagram.pareto import plot

    if not chart.points:
        return
    form = FORMS[chart.file.suffix]
    with replaced(chart.file) as temporary:
        temporary.write_bytes(plot(chart.points, _axis(chart.x), _axis(chart.y), form))


def _figure(one: Summary, metric: Metric) -> float:
    match metric:
        case Metric.params:
            return one.params
        case Metric.params_folded:
            return one.params_folded
        case Metric.macs:
            return one.macs
        case Metric.memory:
            return one.activation_bytes_peak
        case Metric.latency:
            return one.latency_ms or 0.0
        case Metric.mes:
            return one.mes or 0.0


def _axis(metric: Metric) -> Axis:
    from efspec.diagram.pareto import Axis

    match metric:
        case Metric.params:
            return Axis("parameters")
        case Metric.params_folded:
            return Axis("parameters, batch norms folded")
        case Metric.macs:
            return Axis("MACs")
        case Metric.memory:
            return Axis("peak memory of activations", "B")
        case Metric.latency:
            return Axis("latency in ms")
        case Metric.mes:
            return Axis("Mobile Efficiency Score", more_is_better=True)
