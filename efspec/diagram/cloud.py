"""A plot of very many networks by two figures, with some that have a name among them.

matplotlib draws it, and is imported only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from efspec.diagram.drawing import Form, drawn
from efspec.diagram.labels import place_labels
from efspec.diagram.pareto import SIZE, Axis, Point, draw_axes
from efspec.diagram.style import LIGHT
from efspec.diagram.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 2000
"""From how many networks on they are drawn small and as pixels."""


def cloud(
    xs: Sequence[float],
    ys: Sequence[float],
    named: Sequence[Point],
    axes: tuple[Axis, Axis],
    title: str,
    form: Form,
    *,
    line: Sequence[tuple[float, float]] = (),
) -> bytes:
    """A plot of a cloud of networks, the same bytes each time.

    Args:
        xs: The first figure of each network of the cloud.
        ys: The second figure of each.
        named: Networks that are named, in the cloud or beside it.
        axes: What the figures are.
        title: What the cloud is.
        form: An SVG follows the reader's light or dark screen; a PNG is light.
        line: Points of a line through the cloud.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    return drawn(lambda: _figure(xs, ys, named, axes, title, line), form)


def _figure(
    xs: Sequence[float],
    ys: Sequence[float],
    named: Sequence[Point],
    figures: tuple[Axis, Axis],
    title: str,
    line: Sequence[tuple[float, float]],
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, facecolor=LIGHT.background)
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.12, 0.12, 0.85, 0.8))
    axes.set_facecolor("none")
    axes.plot(
        xs,
        ys,
        linestyle="none",
        marker="o",
        markersize=2 if len(xs) > FEW else 5,
        markeredgewidth=0,
        alpha=0.25 if len(xs) > FEW else 0.5,
        color=LIGHT.kinds["plain"].strong,
        rasterized=len(xs) > FEW,  # a shape for each would be megabytes
    )
    if line:
        strong = LIGHT.kinds["attention"].strong
        axes.plot(*zip(*line, strict=True), color=strong, linewidth=1, alpha=0.7)
    axes.plot(
        [point.x for point in named],
        [point.y for point in named],
        linestyle="none",
        marker="o",
        markersize=6,
        color=LIGHT.kinds["attention"].strong,
    )
    whole = [*named, *(Point("", x, y) for x, y in zip(xs, ys, strict=True))]
    draw_axes(axes, whole, *figures)
    figure.text(0.12, 0.94, title, size=9, color=LIGHT.text)
    figure.draw_without_rendering()  # ticks and limits are as they will be from here on
    places = [(point.x, point.y) for point in named]
    names = [(printable(point.name), point.x, point.y) for point in named]
    place_labels(axes, canvas.get_renderer(), names, places, places, (LIGHT.text, LIGHT.muted))
    return figure
