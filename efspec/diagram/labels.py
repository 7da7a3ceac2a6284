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

MAX_OBSTACLES = 20_000
"""How many points names keep clear of, the most important first."""
DISTANCES = (6, 10, 15, 22, 30, 40, 52, 66, 82, 100)
"""How far a name may be from its point, in typographic points; the nearest that is free wins."""
DIRECTIONS = 16
MARKER = 4.0
"""Half the size of a point, in typographic points."""
LEADER_FROM = 15
"""From which distance on a line leads from a name to its point."""
LEADER_STEPS = 12
FONT_SIZE = 8


def place_labels(
    axes: Axes,
    renderer: RendererBase,
    names: Sequence[tuple[str, float, float]],
    obstacles: Sequence[tuple[float, float]],
    line: Sequence[tuple[float, float]],
    colours: tuple[str, str],
) -> int:
    """Write names beside their points where there is room; gives how many there are then.

    Args:
        axes: Where the points are drawn, laid out.
        renderer: What measures text.
        names: Name and place of each point that is named, the most important first.
        obstacles: Places of all points.
        line: Corners of a line with horizontal and vertical parts, which names keep clear of.
        colours: That of names, and that of the lines which lead from names to points.
    """
    import numpy as np

    pixel = float(np.asarray(renderer.points_to_pixels(1.0)))
    centres = axes.transData.transform([(x, y) for _, x, y in names])
    markers = axes.transData.transform(obstacles[:MAX_OBSTACLES])
    corners = axes.transData.transform(line)
    starts, ends = corners[:-1], corners[1:]
    near = np.vstack(
        [
            np.hstack([markers - MARKER * pixel, markers + MARKER * pixel]),
            np.hstack([np.minimum(starts, ends) - pixel, np.maximum(starts, ends) + pixel]),
        ]
    )
    taken = np.empty((0, 4))
    area = np.array(axes.get_window_extent(renderer).extents)
    shown = 0
    for (name, x, y), centre in zip(names, centres, strict=True):
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
        corner, distance = _free_corner(centre, room, pixel, area, (near, taken))
        if corner is None:
            text.remove()
            continue
        shown += 1
        text.set_position(tuple((corner - centre) / pixel))
        taken = np.vstack([taken, np.hstack([corner, corner + room])])
        if distance >= LEADER_FROM:
            nearest = np.clip(centre, corner, corner + room)
            near = np.vstack([near, _leader(centre, nearest)])
            axes.annotate(
                "",
                (x, y),
                xytext=tuple((nearest - centre) / pixel),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": colours[1], "linewidth": 0.6},
            )
    return shown


def _free_corner(
    centre: Numbers, room: Numbers, pixel: float, area: Numbers, taken: tuple[Numbers, Numbers]
) -> tuple[Numbers | None, float]:
    """Lower left corner of a free place near a point, and how far off it is; None if none is.

    Args:
        centre: The point, in pixels.
        room: Width and height of what is to be placed.
        pixel: Pixels in a typographic point.
        area: Where it has to be: left, bottom, right, top.
        taken: Where it must not be, a row of the same four for each: what its leader may cross,
            and what it may not.
    """
    import numpy as np

    angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    angles = angles[np.argsort(np.abs(np.sin(angles)), kind="stable")]  # beside rather than above
    for distance in DISTANCES:
        for towards in np.stack([np.cos(angles), np.sin(angles)], axis=1).round(6):
            # In the middle of the side that is nearest, or at the corner.
            corner = centre + distance * pixel * towards + room * (np.sign(towards) - 1) / 2
            own = np.hstack([corner, corner + room])[None]
            if (corner < area[:2]).any() or (corner + room > area[2:]).any():
                continue
            leader = _leader(centre, np.clip(centre, corner, corner + room))
            if not (any(_meet(own, boxes) for boxes in taken) or _meet(leader, taken[1])):
                return corner, distance
    return None, 0.0


def _leader(start: Numbers, end: Numbers) -> Numbers:
    """A straight line as a row of small boxes."""
    import numpy as np

    steps = np.linspace(0.0, 1.0, LEADER_STEPS)[:, None]
    points = start + (end - start) * steps
    return np.hstack([points - 1, points + 1])


def _meet(some: Numbers, others: Numbers) -> bool:
    """Whether any of some boxes overlaps any of others."""
    low, high = some[:, None, :2], some[:, None, 2:]
    return bool(((others[:, :2] < high) & (others[:, 2:] > low)).all(axis=2).any())
