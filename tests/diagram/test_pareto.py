"""Plots: which networks no other beats, and names that are not over each other."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Annotation

from efspec.diagram.pareto import MAX_NAMED, Axis, Point, _figure, front, plot
from efspec.errors import EfspecError

LESS, MORE = Axis("less"), Axis("more", more_is_better=True)
SVG = "{http://www.w3.org/2000/svg}"


def beats(one: Point, other: Point, x: Axis, y: Axis) -> bool:
    sides = [
        ((b - a) if axis.more_is_better else (a - b))
        for axis, a, b in ((x, other.x, one.x), (y, other.y, one.y))
    ]
    return min(sides) >= 0 and max(sides) > 0


def points(*places: tuple[float, float]) -> list[Point]:
    return [Point(f"network_{i}", x, y) for i, (x, y) in enumerate(places)]


def cluster(count: int) -> list[Point]:
    return points(
        *((1e6 + i * 7919 % 100 * 1e3, 1e9 - i * 104729 % 97 * 1e6) for i in range(count))
    )


@pytest.mark.parametrize(
    ("places", "x", "y", "best"),
    [
        ([(1, 1)], LESS, LESS, [0]),
        ([(1, 2), (2, 1), (2, 2), (3, 3)], LESS, LESS, [0, 1]),
        ([(1, 2), (2, 1), (2, 2), (3, 3)], LESS, MORE, [0, 3]),
        ([(1, 2), (2, 1), (2, 2), (3, 3)], MORE, LESS, [3, 1]),
        ([(1, 2), (2, 1), (2, 2), (3, 3)], MORE, MORE, [3]),
        ([(1, 1), (1, 1), (2, 1), (1, 2)], LESS, LESS, [0, 1]),  # equals stand together
        ([(2, 5), (1, 5), (1, 6)], LESS, LESS, [1]),
    ],
)
def test_the_front(places: list[tuple[float, float]], x: Axis, y: Axis, best: list[int]) -> None:
    assert front(points(*places), x, y) == best


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1),
    st.sampled_from([LESS, MORE]),
    st.sampled_from([LESS, MORE]),
)
def test_the_front_is_what_no_other_beats(places: Any, x: Axis, y: Axis) -> None:
    some = points(*places)
    unbeaten = {
        i for i, one in enumerate(some) if not any(beats(other, one, x, y) for other in some)
    }
    found = front(some, x, y)
    assert set(found) == unbeaten
    assert len(found) == len(unbeaten)


@pytest.mark.parametrize("count", [1, 2, 9, MAX_NAMED, MAX_NAMED + 1, 500])
def test_names_are_not_over_each_other_nor_outside(count: int) -> None:
    figure = _figure(cluster(count), LESS, LESS)
    (axes,) = figure.axes
    names = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text()]
    assert names
    boxes = [name.get_window_extent() for name in names]
    area = axes.get_window_extent()
    for i, box in enumerate(boxes):
        assert area.x0 <= box.x0 <= box.x1 <= area.x1
        assert area.y0 <= box.y0 <= box.y1 <= area.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    told = [int(n) for text in figure.texts for n in re.findall(r"\d+", text.get_text())]
    assert told == ([count - len(names), count] if len(names) < count else [])


def test_the_front_is_named_first() -> None:
    some = cluster(500)
    (axes,) = _figure(some, LESS, LESS).axes
    names = {text.get_text() for text in axes.texts if text.get_text()}
    assert names <= {some[i].name for i in front(some, LESS, LESS)}


@pytest.mark.parametrize("form", ["svg", "png"])
def test_is_the_same_bytes_each_time(form: Any) -> None:
    assert plot(cluster(30), LESS, MORE, form) == plot(cluster(30), LESS, MORE, form)


def test_an_svg_holds_the_names_as_text_and_follows_the_screen() -> None:
    name = "$x^2$ <script>alert(1)</script> & ]]>"
    data = plot([Point(name, 1, 2), Point("other", 2, 1)], LESS, LESS, "svg")
    root = ET.fromstring(data)
    assert {name, "other", "Pareto front"} <= {text.text for text in root.iter(f"{SVG}text")}
    assert not list(root.iter(f"{SVG}script"))
    assert data.count(b"prefers-color-scheme: dark") == 1
    used = set(re.findall(rb'style="[^"]*(?:fill|stroke): (#\w{6})', data))
    known = set(re.findall(rb'\[style\*="\w+: (#\w{6})"\]', data))
    assert used <= known  # each colour has a dark counterpart
    assert b"dc:date" not in data


@pytest.mark.parametrize("places", [[(5, 5)] * 3, [(0, 0), (0, 1)], [(1e-9, 1e12), (1, 1)]])
def test_odd_values_are_drawn(places: list[tuple[float, float]]) -> None:
    ET.fromstring(plot(points(*places), LESS, MORE, "svg"))


def test_points_beyond_counting_are_pixels() -> None:
    data = plot(cluster(20_000), LESS, LESS, "svg")
    assert b"<image" in data
    assert len(data) < 500_000


def test_without_matplotlib_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("efspec.extras.find_spec", lambda name: None)
    with pytest.raises(EfspecError) as error:
        plot(cluster(2), LESS, LESS, "svg")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.name == "missing-package"
    assert diagnostic.fix == "pip install 'efspec[plot]'"
