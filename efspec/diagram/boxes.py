"""A run of equal blocks as a box: what they are, their expansions as bars, what is in them."""

from __future__ import annotations

from efspec.diagram.canvas import LINE_HEIGHT, Element, group, number, paragraph, path, rectangle
from efspec.diagram.figure import Run
from efspec.diagram.text import printable, width, wrap
from efspec.diagram.words import details, title
from efspec.record import Node

TITLE, DETAIL = 13, 11
PADDING = 8
BAR, BAR_GAP, BAR_HEIGHT = 13, 4, 40
MAX_BARS = 20
"""How many blocks have a bar of their own; more are one shape with steps."""
MIN_WIDTH, WISHED_WIDTH = 64, 166


class Box(Node):
    """A run and the room that it takes; expansions are drawn in proportion to `top`."""

    run: Run
    title: list[str]
    details: list[str]
    width: float
    height: float
    top: float


def box(run: Run, top: float, room: float) -> Box:
    """The box of a run, no wider than some room if its words allow it.

    Args:
        run: The blocks.
        top: The largest expansion of the network, whose bar is the highest.
        room: How wide it may be.
    """
    room -= 2 * PADDING
    head, said = printable(title(run)), [printable(words) for words in details(run)]
    bars_width = _bars_width(len(run.expansions), room)
    wished = max(bars_width, width(head, TITLE, bold=True), WISHED_WIDTH)
    titles = wrap(head, TITLE, min(room, wished), bold=True) if head else []
    lines = [part for words in said for part in wrap(words, DETAIL, min(room, wished))]
    inner = max(
        MIN_WIDTH,
        bars_width,
        *(width(words, TITLE, bold=True) for words in titles),
        *(width(words, DETAIL) for words in lines),
    )
    bars = BAR_HEIGHT + PADDING if run.expansions else 0
    height = (len(titles) * TITLE + len(lines) * DETAIL) * LINE_HEIGHT + bars + 2 * PADDING
    return Box(run, titles, lines, inner + 2 * PADDING, height, top)


def draw_box(one: Box, x: float, y: float) -> Element:
    """A box with its upper left corner at a point."""
    run = one.run
    elements = [rectangle(x, y, one.width, one.height, f"box {run.kind}", radius=4)]
    titles, below = paragraph(one.title, x + PADDING, y + PADDING - 1, TITLE, "strong")
    elements += titles
    if run.expansions:
        bottom = below + PADDING / 2 + BAR_HEIGHT
        heights = [max(1.0, BAR_HEIGHT * value / one.top) for value in run.expansions]
        elements.append(_bars(heights, x + PADDING, bottom, one, f"bars {run.kind}"))
        below = bottom + PADDING / 2
    lines, _ = paragraph(one.details, x + PADDING, below, DETAIL)
    hint = f"{run.path}: {run.summary}" if run.summary else run.path
    return group([*elements, *lines], "run", printable(hint))


def _bars_width(count: int, room: float) -> float:
    return count * (BAR + BAR_GAP) - BAR_GAP if count <= MAX_BARS else room


def _bars(heights: list[float], x: float, bottom: float, one: Box, name: str) -> Element:
    """A bar for each block; where they are many, their outline."""
    if len(heights) <= MAX_BARS:
        steps = [
            f"M{number(x + i * (BAR + BAR_GAP))} {number(bottom)}"
            f"v{number(-height)}h{BAR}v{number(height)}z"
            for i, height in enumerate(heights)
        ]
        return path(" ".join(steps), name)
    each = (one.width - 2 * PADDING) / len(heights)
    outline = [f"M{number(x)} {number(bottom)}"]
    for i, height in enumerate(heights):
        if not i or heights[i - 1] != height:
            outline.append(f"V{number(bottom - height)}")
        if i + 1 == len(heights) or heights[i + 1] != height:
            outline.append(f"H{number(x + (i + 1) * each)}")
    return path(" ".join([*outline, f"V{number(bottom)}", "z"]), name)
