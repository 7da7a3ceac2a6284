"""Names beside the points of a plot, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

MAX_LABELS = 80
"""How many names a plot shows at most; more are no longer read."""
MAX_OBSTACLES = 20_000
"""How many points names keep clear of, the most important first."""
DISTANCES = (6, 14, 24, 38, 56)
"""How far a name may be from its point, in typographic points; the nearest that is free wins."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
MARKER = 4.0
"""Half the size of a point, in typographic points."""
LEADER_FROM = 14
"""From which distance on a line leads from a name to its point."""
FONT_SIZE = 8


def place_labels(
    axes: Axes,
    renderer: RendererBase,
    names: Sequence[tuple[str, float, float]],
    colours: tuple[str, str],
) -> int:
    """Write names beside their points where there is room; gives how many there was none for.

    Args:
        axes: Where the points are drawn, laid out.
        renderer: What measures text.
        names: Name and place of each point, the most important first.
        colours: That of names, and that of the lines which lead from names to points.
    """
    import numpy as np

    pixel = float(np.asarray(renderer.points_to_pixels(1.0)))
    centres = axes.transData.transform([(x, y) for _, x, y in names])
    markers = centres[:MAX_OBSTACLES]
    taken = np.hstack([markers - MARKER * pixel, markers + MARKER * pixel])
    area = np.array(axes.get_window_extent(renderer).extents)
    shown = 0
    for (name, x, y), centre in zip(names[:MAX_LABELS], centres, strict=False):
        text = axes.annotate(
            name,
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            size=FONT_SIZE,
            color=colours[0],
            verticalalignment="bottom",
            zorder=4,
        )
        extent = text.get_window_extent(renderer)
        room = np.array([extent.width, extent.height])
        corner, distance = _free_corner(centre, room, pixel, area, taken)
        if corner is None:
            text.remove()
            continue
        shown += 1
        text.set_position(tuple((corner - centre) / pixel))
        taken = np.vstack([taken, np.hstack([corner, corner + room])])
        if distance >= LEADER_FROM:
            nearest = np.clip(centre, corner, corner + room)
            axes.annotate(
                "",
                (x, y),
                xytext=tuple((nearest - centre) / pixel),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": colours[1], "linewidth": 0.6},
            )
    return len(names) - shown


def _free_corner(
    centre: Numbers, room: Numbers, pixel: float, area: Numbers, taken: Numbers
) -> tuple[Numbers | None, float]:
    """Lower left corner of a free place near a point, and how far off it is; None if none is.

    Args:
        centre: The point, in pixels.
        room: Width and height of what is to be placed.
        pixel: Pixels in a typographic point.
        area: Where it has to be: left, bottom, right, top.
        taken: Where it must not be, a row of the same four for each.
    """
    import numpy as np

    for distance in DISTANCES:
        for direction in DIRECTIONS:
            towards = np.array(direction)
            gap = distance * pixel * towards / max(1.0, float(np.hypot(*direction)))
            corner = centre + gap + room * (towards - 1) / 2
            low, high = corner, corner + room
            inside = (low >= area[:2]).all() and (high <= area[2:]).all()
            over = ((taken[:, :2] < high) & (taken[:, 2:] > low)).all(axis=1)
            if inside and not over.any():
                return corner, distance
    return None, 0.0
