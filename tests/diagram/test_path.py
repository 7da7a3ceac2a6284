"""Pictures of paths and of clouds."""

from __future__ import annotations

import random
import re

import pytest

from efspec.diagram.cloud import FEW, cloud
from efspec.diagram.drawing import Form
from efspec.diagram.pareto import Axis, Point
from efspec.diagram.path import Line, Row, path

LINES = [Line("accuracy", [0.9, 0.9, 0.8]), Line("MES", [10.0, 20.0, 40.0])]
ROWS = [Row("stage 0: width", [24, 16, 16]), Row("with attention", [2, 0, 0])]


def picture(form: Form) -> bytes:
    return path(LINES, ROWS, {1: "medium", 2: "<small>"}, "a path", form)


def test_a_path_says_what_it_shows() -> None:
    text = picture("svg").decode()
    for words in ("accuracy", "MES", "stage 0: width", "with attention", "24", "16", "medium"):
        assert f">{words}<" in text
    assert "&lt;small&gt;" in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_path_is_the_same_each_time(form: Form) -> None:
    assert picture(form) == picture(form)


def test_a_path_of_a_single_network() -> None:
    text = path([Line("accuracy", [0.5])], [Row("depth", [0])], {0: "start"}, "one", "svg").decode()
    assert ">start<" in text


@pytest.mark.parametrize("count", [0, 50, FEW + 1])
def test_a_cloud_names_what_has_a_name(count: int) -> None:
    chance = random.Random(0)
    xs, ys = ([chance.uniform(1, 50) for _ in range(count)] for _ in range(2))
    named = [Point("largest", 60, 60), Point("v2_s0", 10, 20)]
    axes = (Axis("parameters"), Axis("accuracy", more_is_better=True))
    drawn = cloud(xs, ys, named, axes, "a space", "svg", line=[(10, 20), (60, 60)])
    text = drawn.decode()
    for words in ("largest", "v2_s0", "parameters (less is better)", "a space"):
        assert f">{words}<" in text
    assert ("<image" in text) == (count > FEW)  # a shape for each would be megabytes
    assert drawn == cloud(xs, ys, named, axes, "a space", "svg", line=[(10, 20), (60, 60)])


def test_small_figures_have_no_prefix() -> None:
    axes = (Axis("latency in ms"), Axis("memory", "B"))
    text = cloud([0.2, 0.9], [2e6, 9e6], [], axes, "", "svg").decode()
    assert re.search(r">0\.\d+<", text)
    assert re.search(r">\d MB<", text)
    assert " m<" not in text
