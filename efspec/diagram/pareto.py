"""A plot of many networks by two of their figures, with those that no other beats.

matplotlib draws it, and is imported only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from efspec.diagram.drawing import Form, drawn
from efspec.diagram.labels import place_labels
from efspec.diagram.style import LIGHT
from efspec.diagram.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (7.2, 4.8)
"""Width and height in inches: as wide as a page's text."""
LOG_FROM = 10
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
LARGE = 1000
"""Value from which an axis counts in thousands, millions and so on."""
MAX_NAMED = 40
"""From how many networks on only the front is named; how many names there are at most."""
MAX_VECTORS = 5000
"""From how many on, points in an SVG are pixels instead of shapes."""


class Axis(NamedTuple):
    """One of the two figures.

    Attributes:
        label: What it is.
        unit: Its unit, if it has one.
        more_is_better: Whether a network with more of it is the better one.
    """

    label: str
    unit: str = ""
    more_is_better: bool = False


class Point(NamedTuple):
    """A network in a plot."""

    name: str
    x: float
    y: float


def front(points: Sequence[Point], x: Axis, y: Axis) -> list[int]:
    """Numbers of the points that no other beats, from the best by `x` on.

    A point beats another if it is better by one figure and not worse by the other; so points that
    are equal in both stand or fall together.
    """

    def key(i: int) -> tuple[float, float]:
        point = points[i]
        return (
            -point.x if x.more_is_better else point.x,
            -point.y if y.more_is_better else point.y,
        )

    found: list[int] = []
    for i in sorted(range(len(points)), key=key):
        if not found or key(i)[1] < key(found[-1])[1] or key(i) == key(found[-1]):
            found.append(i)
    return found


def plot(points: Sequence[Point], x: Axis, y: Axis, form: Form) -> bytes:
    """A plot of at least one point, the same bytes each time.

    Args:
        points: The networks.
        x: What `Point.x` is.
        y: What `Point.y` is.
        form: An SVG follows the reader's light or dark screen; a PNG is light.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    return drawn(lambda: _figure(points, x, y), form)


def _figure(points: Sequence[Point], x: Axis, y: Axis) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, facecolor=LIGHT.background)
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.12, 0.12, 0.85, 0.8))
    axes.set_facecolor("none")
    best = front(points, x, y)
    _draw_points(axes, points, best, x)
    draw_axes(axes, points, x, y)
    places = list(best)
    if len(points) <= MAX_NAMED:
        places += sorted(set(range(len(points))) - set(best))
    names = [(printable(points[i].name), points[i].x, points[i].y) for i in places[:MAX_NAMED]]
    figure.draw_without_rendering()  # ticks and limits are as they will be from here on
    left_out = len(points) - place_labels(
        axes,
        canvas.get_renderer(),
        names,
        [(point.x, point.y) for point in points],
        _corners([points[i] for i in best], x),
        (LIGHT.text, LIGHT.muted),
    )
    if left_out:
        words = f"{left_out:,} of {len(points):,} not named"
        figure.text(0.97, 0.94, words, ha="right", size=8, color=LIGHT.muted)
    return figure


def _corners(best: Sequence[Point], x: Axis) -> list[tuple[float, float]]:
    """The front as a line with steps, from left to right.

    Between two points, what can be had is the figure of the one that is no better by `x`.
    """
    ordered = sorted(best, key=lambda point: point.x)
    corners = [(ordered[0].x, ordered[0].y)]
    for one, other in pairwise(ordered):
        step = (one.x, other.y) if x.more_is_better else (other.x, one.y)
        corners += [step, (other.x, other.y)]
    return corners


def _draw_points(axes: Axes, points: Sequence[Point], best: list[int], x: Axis) -> None:
    others = sorted(set(range(len(points))) - set(best))
    plain, strong = LIGHT.kinds["plain"].strong, LIGHT.kinds["attention"].strong
    xs, ys = zip(*_corners([points[i] for i in best], x), strict=True)
    axes.plot(
        xs,
        ys,
        color=strong,
        linewidth=1.2,
        marker="o",
        markersize=6,
        markevery=2,  # every other corner is but a step
        label="Pareto front",
        zorder=3,
    )
    if others:
        axes.plot(
            [points[i].x for i in others],
            [points[i].y for i in others],
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="none",
            markeredgecolor=plain,
            label="beaten by another",
            rasterized=len(others) > MAX_VECTORS,
        )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, frameon=False, fontsize=8)


def draw_axes(axes: Axes, points: Sequence[Point], x: Axis, y: Axis) -> None:
    """Label and scale the axes of a plot of points."""
    from matplotlib.ticker import (
        EngFormatter,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
    )

    scales = (
        (axes.xaxis, axes.set_xscale, x, [point.x for point in points]),
        (axes.yaxis, axes.set_yscale, y, [point.y for point in points]),
    )
    axes.margins(0.12)
    for axis, set_scale, figure, values in scales:
        if min(values) > 0 and max(values) / min(values) > LOG_FROM:
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        else:
            axis.set_major_locator(MaxNLocator(7))
        # 12 M is read at a glance, and 900 m is not.
        large = max(map(abs, values)) >= LARGE
        axis.set_major_formatter(EngFormatter(figure.unit) if large else FuncFormatter(_plain))
        axis.set_minor_formatter(NullFormatter())
        better = "more" if figure.more_is_better else "less"
        axis.set_label_text(f"{figure.label} ({better} is better)")
    axes.grid(color=LIGHT.line, alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _plain(value: float, place: int) -> str:
    del place
    return f"{value:g}"
