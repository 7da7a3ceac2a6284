"""Curves in panels: how a figure grows, with ranges, for several kinds of things.

matplotlib draws it, and is imported only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from efspec.diagram.drawing import Form, drawn
from efspec.diagram.style import LIGHT
from efspec.diagram.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
PANEL = (3.4, 2.7)
"""Width and height of a panel in inches."""
MARKERS = "osD^vP"
LOG_FROM = 4
"""Ratio of the largest to the smallest width from which a panel is logarithmic."""


class Sample(NamedTuple):
    """A point of a curve, and the range that it may lie in."""

    x: float
    y: float
    low: float
    high: float


class Curve(NamedTuple):
    """Points that belong together, from left to right."""

    label: str
    samples: tuple[Sample, ...]


class Panel(NamedTuple):
    """Curves of one kind of thing."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]


def curves(panels: Sequence[Panel], title: str, form: Form) -> bytes:
    """A plot of panels, the same bytes each time.

    Args:
        panels: The panels.
        title: What stands above them.
        form: An SVG follows the reader's light or dark screen; a PNG is light.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    return drawn(lambda: _figure(panels, title), form)


def _figure(panels: Sequence[Panel], title: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, max(len(panels), 1))
    rows = max(-(-len(panels) // columns), 1)
    width, height = PANEL
    figure = Figure(figsize=(columns * width, rows * height + 0.4), facecolor=LIGHT.background)
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    figure.suptitle(printable(title), fontsize=10, color=LIGHT.text)
    for number, panel in enumerate(panels):
        _draw(figure.add_subplot(rows, columns, number + 1), panel)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_facecolor("none")
    axes.set_title(printable(panel.title), fontsize=8, color=LIGHT.text)
    colours = [colours.strong for colours in LIGHT.kinds.values()]
    for number, curve in enumerate(panel.curves):
        samples = sorted(curve.samples)
        ranges: Any = [
            [sample.y - sample.low for sample in samples],
            [sample.high - sample.y for sample in samples],
        ]
        axes.errorbar(
            [sample.x for sample in samples],
            [sample.y for sample in samples],
            yerr=ranges,
            color=colours[number % len(colours)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle="-" if number < len(colours) else "--",
            linewidth=1.1,
            markersize=3.5,
            capsize=2,
            elinewidth=0.8,
            label=printable(curve.label),
        )
    widths = [sample.x for curve in panel.curves for sample in curve.samples]
    if max(widths) > LOG_FROM * min(widths):
        _double(axes, min(widths), max(widths))
    lines = -(-len(panel.curves) // 2)  # of the legend, which stands above the curves
    axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * (1 + 0.09 * lines))
    axes.set_xlabel(panel.x, fontsize=8)
    axes.set_ylabel(panel.y, fontsize=8)
    axes.grid(color=LIGHT.line, alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", ncols=2, frameon=False, fontsize=6.5, borderaxespad=0)


def _double(axes: Axes, least: float, most: float) -> None:
    """Let equal steps to the right be doublings."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log", base=2)
    ticks = [least * 2**i for i in range(64) if least * 2**i <= most]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
