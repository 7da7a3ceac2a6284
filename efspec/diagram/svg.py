"""A network as an SVG that a paper could print.

Stages follow each other from top to bottom, and in each its blocks from left to right, wrapped as
text is. The figure is as wide as a page and as high as it must be. Elements are made by
ElementTree, which escapes all text: no name can become markup.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import chain

from efspec.diagram.boxes import Box, box, draw_box
from efspec.diagram.canvas import Element, arrow, group, line, number, paragraph, rectangle, text
from efspec.diagram.figure import KIND_LABELS, KINDS, Band, Figure, figure
from efspec.diagram.style import css
from efspec.diagram.text import printable, width, wrap
from efspec.diagram.words import amount, description, representation, result, sizes
from efspec.plan import Plan, Shape

WIDTH = 760
MARGIN = 20
LABELS = 132
"""Width of the left column, with a stage's name, resolution, channels and costs."""
GUTTER = 16
GAP = 22
"""Room between two boxes, for the arrow."""
PADDING = 12
BETWEEN = 26
"""Room between two bands, for the arrow."""
NAME, STAGE, BODY, SMALL = 20, 14, 12, 11

_LEFT = MARGIN + LABELS + GUTTER
ROOM = WIDTH - MARGIN - _LEFT
"""Width of the right column, which the boxes flow in."""


def svg(plan: Plan) -> str:
    """The diagram of a network, the same bytes each time."""
    drawn = figure(plan)
    top = max((x for b in drawn.bands for run in b.runs for x in run.expansions), default=1.0)
    key = f"efspec-{drawn.hash[:12]}"
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "efspec"})
    elements, y = _header(drawn)
    for i, band in enumerate(drawn.bands):
        if i:
            x, middle = MARGIN + 10, y + BETWEEN / 2
            elements.append(arrow((x, y), (x, y + BETWEEN)))
            elements.append(line(_LEFT, middle, WIDTH - MARGIN, middle, "rule"))
            y += BETWEEN
        drawn_band, y = _band(band, drawn, top, y)
        elements.append(drawn_band)
    legend, y = _legend(drawn, top, y + 2 * PADDING)
    height = y + MARGIN
    root.set("width", number(WIDTH))
    root.set("height", number(height))
    root.set("viewBox", f"0 0 {number(WIDTH)} {number(height)}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc")
    ET.SubElement(root, "title", {"id": f"{key}-title"}).text = printable(drawn.name)
    said = f"{drawn.description.rstrip('.')}. " if drawn.description else ""
    ET.SubElement(root, "desc", {"id": f"{key}-desc"}).text = printable(said + description(drawn))
    ET.SubElement(root, "style").text = css()
    root.append(rectangle(0, 0, WIDTH, height, "background"))
    root.extend([*elements, *legend])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _header(drawn: Figure) -> tuple[list[Element], float]:
    """Name, description and figures; the elements, and where they end."""
    room = WIDTH - 2 * MARGIN
    total = f"{drawn.params:,} parameters · {drawn.macs:,} MACs"
    y = float(MARGIN)
    elements: list[Element] = []
    for words, size, name in (
        (drawn.name, NAME, "strong"),
        (drawn.description, BODY, ""),
        (f"input {sizes(drawn.input)} · {total}", BODY, "muted"),
    ):
        if words:
            lines = wrap(printable(words), size, room, bold=name == "strong")
            found, y = paragraph(lines, MARGIN, y, size, name)
            elements += found
    return elements, y + PADDING


def _band(band: Band, drawn: Figure, top: float, y: float) -> tuple[Element, float]:
    """A stage with its labels, blocks and costs; the element, and where it ends."""
    name = printable(band.name.capitalize())
    labels, bottom = paragraph(wrap(name, STAGE, LABELS, bold=True), MARGIN, y, STAGE, "strong")
    if len(band.outputs) > 1:
        said = [result(shape) for shape in band.outputs]
    else:
        said = _shape_lines(band.outputs[0])
    said += ["returned"] * band.returned
    lines = [part for words in said for part in wrap(words, BODY, LABELS)]
    found, bottom = paragraph(lines, MARGIN, bottom, BODY)
    costs, bottom = _costs(band, drawn, bottom + 4) if band.runs else ([], bottom)
    boxes, end = _flow([box(run, top, ROOM - GAP) for run in band.runs], y, band.chained)
    return group([*labels, *found, *costs, *boxes], "band"), max(bottom, end)


def _shape_lines(shape: Shape) -> list[str]:
    if shape.space is None:
        return [result(shape)]
    return [
        sizes(shape.space),
        f"{shape.channels:,} {'channel' if shape.channels == 1 else 'channels'}, "
        + representation(shape),
    ]


def _flow(boxes: list[Box], y: float, chained: bool) -> tuple[list[Element], float]:
    """Boxes in rows, if chained with an arrow before each but the first; and where they end."""
    elements: list[Element] = []
    x = 0.0
    row_height = 0.0
    for i, one in enumerate(boxes):
        if x and x + GAP + one.width > ROOM:
            y += row_height + PADDING
            x = row_height = 0.0
        lead = GAP if x or (i and chained) else 0
        if i and chained:
            elements.append(arrow((_LEFT + x, y + 14), (_LEFT + x + lead, y + 14)))
        elements.append(draw_box(one, _LEFT + x + lead, y))
        x += lead + one.width
        row_height = max(row_height, one.height)
    return elements, y + row_height


def _costs(band: Band, drawn: Figure, y: float) -> tuple[list[Element], float]:
    """A band's parameters and MACs, with their share of the whole as a bar; and where they end."""
    elements: list[Element] = []
    for words, own, whole in (
        ("params", band.params, drawn.params),
        ("MACs", band.macs, drawn.macs),
    ):
        share = own / whole if whole else 0.0
        elements.append(text(f"{amount(own)} {words}", MARGIN, y + BODY, BODY, "muted"))
        elements.append(rectangle(MARGIN, y + 17, LABELS, 4, "track"))
        if share:
            elements.append(rectangle(MARGIN, y + 17, LABELS * share, 4, "share"))
        y += 26
    return elements, y


def _legend(drawn: Figure, top: float, y: float) -> tuple[list[Element], float]:
    """What the colours, the bars and the words mean; the elements, and where they end."""
    runs = list(chain.from_iterable(band.runs for band in drawn.bands))
    elements: list[Element] = []
    x = float(MARGIN)
    for kind in (kind for kind in KINDS if any(run.kind == kind for run in runs)):
        room = 26 + width(KIND_LABELS[kind], SMALL)
        if x > MARGIN and x + room > WIDTH - MARGIN:
            x, y = float(MARGIN), y + 20
        elements.append(rectangle(x + 1, y + 1, 16, 10, f"box {kind}"))
        elements.append(text(KIND_LABELS[kind], x + 24, y + 10, SMALL))
        x += room + 16
    y += 24
    notes = ["k×k: convolution, dw: depthwise, /s: stride. Bars below costs: share of the whole."]
    if any(run.attention for run in runs):
        notes.append("Attention: heads, queries × keys.")
    if any(run.expansions for run in runs):
        notes.append(
            "Bars in blocks: expansion, which is hidden channels over width, one bar per block; "
            f"the highest is {top:.3g}."
        )
    notes += dict.fromkeys(f"{run.type}: {run.summary}" for run in runs if run.summary)
    for note in notes:
        lines = wrap(printable(note), SMALL, WIDTH - 2 * MARGIN)
        found, y = paragraph(lines, MARGIN, y, SMALL, "muted")
        elements += found
    return elements, y
