"""The SVG: all of the network is in it, nothing is over anything else, and it is only a picture."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.diagram import svg
from efspec.diagram.boxes import MAX_BARS
from efspec.diagram.figure import figure
from efspec.diagram.text import width
from efspec.diagram.words import title
from efspec.plan import Plan
from tests.diagram.networks import MARKUP, all_networks, unknown
from tests.strategies import networks

NS = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "title", "desc", "style", "g", "rect", "line", "path", "text"}
GOLDEN = Path(__file__).parent / "golden"
NETWORKS = all_networks()
MIN_FONT = 11
"""Smallest text: 7 points where the figure is as wide as a page."""


class Rectangle(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rectangle) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Rectangle) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


def of_text(element: ET.Element) -> Rectangle:
    """The room of a text, its letters' overhangs included, as wide as it is in any usual font."""
    x, y, size = (float(element.attrib[key]) for key in ("x", "y", "font-size"))
    assert size >= MIN_FONT
    bold = element.get("class") == "strong"
    return Rectangle(x, y - size * 0.8, x + width(element.text or "", size, bold=bold), y + 2)


def of_rectangle(element: ET.Element) -> Rectangle:
    x, y, wide, high = (float(element.attrib[key]) for key in ("x", "y", "width", "height"))
    return Rectangle(x, y, x + wide, y + high)


def runs(root: ET.Element) -> list[tuple[Rectangle, list[ET.Element], str]]:
    """The box, the texts and the bars of each run."""
    found = []
    for group in root.iter(f"{NS}g"):
        if group.get("class") == "run":
            (box,) = group.findall(f"{NS}rect")
            bars = group.find(f"{NS}path")
            steps = "" if bars is None else bars.attrib["d"]
            found.append((of_rectangle(box), group.findall(f"{NS}text"), steps))
    return found


def check(plan: Plan) -> None:
    """Hold a drawing to what each has to be."""
    root = ET.fromstring(svg(plan))
    page = Rectangle(0, 0, float(root.attrib["width"]), float(root.attrib["height"]))
    assert [float(number) for number in root.attrib["viewBox"].split()] == list(page)
    boxes = [box for box, *_ in runs(root)]
    wanted = [run for band in figure(plan).bands for run in band.runs]
    assert len(boxes) == len(wanted)
    for (box, texts, bars), run in zip(runs(root), wanted, strict=True):
        assert page.holds(box)
        said = "".join(text.text or "" for text in texts)
        assert title(run).replace(" ", "") in said.replace(" ", "")
        assert all(box.holds(of_text(text)) for text in texts)
        few = len(run.expansions) <= MAX_BARS
        assert bars.count("M") == (len(run.expansions) if few else 1)
    texts = [of_text(text) for text in root.iter(f"{NS}text")]
    assert all(page.holds(text) for text in texts)
    # What stands far below cannot meet what comes before.
    texts.sort(key=lambda text: text.top)
    for i, text in enumerate(texts):
        for other in texts[i + 1 :]:
            if other.top >= text.bottom:
                break
            assert not text.meets(other)
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    beside = [text for text in texts if not any(box.holds(text) for box in boxes)]
    assert not any(box.meets(text) for box in boxes for text in beside)


@pytest.mark.parametrize("plan", NETWORKS.values(), ids=NETWORKS)
def test_all_is_there_and_nothing_over_anything_else(plan: Plan) -> None:
    check(plan)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=96))
def test_random_networks_are_drawn_as_well(fields: dict[str, Any]) -> None:
    check(efspec.resolve(efspec.load(fields)))


@pytest.mark.parametrize("name", ["v1_l1", "v2_s0"])
def test_is_as_it_was(name: str, update_golden: bool) -> None:
    drawn = svg(efspec.resolve(efspec.load(name)))
    golden = GOLDEN / f"{name}.svg"
    if update_golden:
        golden.write_text(drawn)
    assert drawn == golden.read_text()


def test_is_the_same_in_processes_with_other_hash_seeds() -> None:
    script = (
        "import sys, efspec; from efspec.diagram import svg;"
        "sys.stdout.buffer.write(svg(efspec.resolve(efspec.load('v2_l'))).encode())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(efspec.__file__).parents[1])},
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert texts == {svg(efspec.resolve(efspec.load("v2_l"))).encode()}


@pytest.mark.parametrize("plan", [NETWORKS["many repeats"], unknown()], ids=["spec", "block"])
def test_no_name_becomes_markup(plan: Plan) -> None:
    text = svg(plan)
    root = ET.fromstring(text)
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= TAGS
    names = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in names)
    assert "<script" not in text
    assert root.findtext(f"{NS}desc", "").startswith(MARKUP)
    (style,) = root.iter(f"{NS}style")
    (other,) = ET.fromstring(svg(NETWORKS["v2_s0"])).iter(f"{NS}style")
    assert style.text == other.text  # nothing of a network is in it


def test_it_says_what_it_shows() -> None:
    root = ET.fromstring(svg(NETWORKS["v2_s0"]))
    assert root.get("role") == "img"
    named, described = root.attrib["aria-labelledby"].split()
    texts = {element.get("id"): element.text or "" for element in root.iter()}
    assert texts[named] == "v2_s0"
    for part in ("3,600,256 parameters", "2 × StrideAttnFFN", "Stage 3: AttentionDownsample"):
        assert part in texts[described]
