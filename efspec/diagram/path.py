"""A picture of a path through a space: what a network is worth, and what it has left, step by step.

matplotlib draws it, and is imported only then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from efspec.diagram.drawing import Form, drawn
from efspec.diagram.style import LIGHT
from efspec.diagram.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2
LINE_HEIGHT, ROW_HEIGHT, MARGIN = 1.2, 0.2, 0.9
"""Inches: of a line's panel, of a row, and of what is above and below."""
FAINTEST = 0.12
"""Shade of nothing left, of which 1 is everything."""
NARROW = 0.028
"""Share of the width below which a number has no room."""


class Line(NamedTuple):
    """A figure of each network on the path."""

    label: str
    values: Sequence[float]


class Row(NamedTuple):
    """How much of something each network on the path has."""

    label: str
    values: Sequence[float]


def path(
    lines: Sequence[Line], rows: Sequence[Row], marks: Mapping[int, str], title: str, form: Form
) -> bytes:
    """A picture of a path, the same bytes each time.

    Args:
        lines: Figures, each with a panel of its own.
        rows: What there is less and less of: the darker, the more of the most is left.
        marks: Names of steps.
        title: What the path is.
        form: An SVG follows the reader's light or dark screen; a PNG is light.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    return drawn(lambda: _figure(lines, rows, marks, title), form)


def _figure(
    lines: Sequence[Line], rows: Sequence[Row], marks: Mapping[int, str], title: str
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [LINE_HEIGHT] * len(lines) + [ROW_HEIGHT * len(rows)]
    figure = Figure(figsize=(WIDTH, sum(heights) + MARGIN), facecolor=LIGHT.background)
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    figure.suptitle(printable(title), fontsize=9, color=LIGHT.text, x=0.01, ha="left")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    for number, (panel, line) in enumerate(zip(panels[:-1, 0], lines, strict=True)):
        _draw_line(panel, line, marks, named=not number)
    _draw_rows(panels[-1, 0], rows, marks)
    return figure


def _draw_line(axes: Axes, line: Line, marks: Mapping[int, str], *, named: bool) -> None:
    axes.set_facecolor("none")
    strong = LIGHT.kinds["plain"].strong
    axes.plot(range(len(line.values)), line.values, color=strong, marker="o", markersize=2.5)
    axes.set_ylabel(printable(line.label), fontsize=8)
    axes.margins(x=0, y=0.15)
    axes.grid(color=LIGHT.line, alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for step, name in marks.items():
        _mark(axes, step)
        if named:
            axes.annotate(
                printable(name),
                (step, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-2, 2),
                textcoords="offset points",
                ha="right" if step else "left",
                fontsize=8,
                color=LIGHT.kinds["attention"].strong,
            )


def _draw_rows(axes: Axes, rows: Sequence[Row], marks: Mapping[int, str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor("none")
    strong = LIGHT.kinds["plain"].strong
    steps = max((len(row.values) for row in rows), default=0)
    for number, row in enumerate(rows):
        most, start = max(row.values), 0
        for value, same in groupby(row.values):
            count = len(list(same))
            share = value / most if most else 0.0
            shade = FAINTEST + (1 - FAINTEST) * share
            axes.broken_barh(
                [(start - 0.5, count)], (number - 0.42, 0.84), color=strong, alpha=shade * 0.6
            )
            if count > NARROW * steps * len(f"{value:g}") / 2:
                middle = start + (count - 1) / 2
                axes.text(
                    middle, number, f"{value:g}", ha="center", va="center_baseline", fontsize=7
                )
            start += count
    for step in marks:
        _mark(axes, step)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-0.5, steps - 0.5)
    axes.set_yticks(range(len(rows)), [printable(row.label) for row in rows], fontsize=7)
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("step", fontsize=8)
    axes.spines[:].set_visible(False)


def _mark(axes: Axes, step: int) -> None:
    axes.axvline(step, color=LIGHT.kinds["attention"].strong, linewidth=0.9, alpha=0.8, zorder=0.5)
