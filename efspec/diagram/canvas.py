"""The few SVG elements that a diagram is made of; lengths are in pixels."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

Element = ET.Element
Point = tuple[float, float]

LINE_HEIGHT = 1.35


def number(value: float) -> str:
    """A length, to a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def group(children: Iterable[Element], name: str = "", title: str = "") -> Element:
    """Elements that belong together, with a text that is shown when they are pointed at."""
    element = Element("g", {"class": name} if name else {})
    if title:
        ET.SubElement(element, "title").text = title
    element.extend(children)
    return element


def rectangle(
    x: float, y: float, width: float, height: float, name: str, radius: float = 0
) -> Element:
    """A rectangle; `name` is its class, which has its colours."""
    places = {"x": x, "y": y, "width": width, "height": height}
    attributes = {key: number(value) for key, value in places.items()}
    if radius:
        attributes["rx"] = number(radius)
    return Element("rect", {**attributes, "class": name})


def line(x1: float, y1: float, x2: float, y2: float, name: str) -> Element:
    """A straight line."""
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return Element("line", {key: number(value) for key, value in places.items()} | {"class": name})


def path(steps: str, name: str) -> Element:
    """A shape of straight lines."""
    return Element("path", {"d": steps, "class": name})


def arrow(start: Point, end: Point) -> Element:
    """An arrow, a little shorter than the way between two points."""
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    x1, y1, x2, y2 = x1 + 4 * dx, y1 + 4 * dy, x2 - 4 * dx, y2 - 4 * dy
    wings = [(x2 - 5 * dx + s * 4 * dy, y2 - 5 * dy - s * 4 * dx) for s in (1, -1)]
    (ax, ay), (bx, by) = wings
    shaft = f"M{number(x1)} {number(y1)} L{number(x2)} {number(y2)}"
    head = f"M{number(ax)} {number(ay)} L{number(x2)} {number(y2)} L{number(bx)} {number(by)}"
    return path(f"{shaft} {head}", "arrow")


def text(words: str, x: float, y: float, size: float, name: str = "") -> Element:
    """A line of text on a baseline."""
    attributes = {"x": number(x), "y": number(y), "font-size": number(size)}
    element = Element("text", attributes | ({"class": name} if name else {}))
    element.text = words
    return element


def paragraph(
    lines: Sequence[str], x: float, y: float, size: float, name: str = ""
) -> tuple[list[Element], float]:
    """Lines of text below each other; the elements, and where they end."""
    step = size * LINE_HEIGHT
    elements = [text(words, x, y + size + i * step, size, name) for i, words in enumerate(lines)]
    return elements, y + len(lines) * step
