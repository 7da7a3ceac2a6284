"""`efspec latency fit`: points become a table, and what is scored by it says what it rests on."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import ANY

import yaml

import efspec
from efspec import resources
from efspec.latency.devices import read_table
from efspec.plan import parts
from efspec.plan.key import block_key
from tests.cli.conftest import Run

POINTS = resources.folder("specs") / "devices" / "iphone12-points.yaml"


def test_fit_gives_the_shipped_device(run: Run, tmp_path: Path) -> None:
    result = run("latency", "fit", POINTS, "-o", "fitted.yaml", "--rows", "v2_s0")
    assert result.code == 0
    assert result.out.startswith("iphone12: 13 networks, ")
    assert "unseen at 224: median error" in result.out
    fitted, shipped = read_table(tmp_path / "fitted.yaml"), read_table("iphone12")
    assert (fitted.model, fitted.network) == (shipped.model, shipped.network)
    plan = efspec.resolve(efspec.load("v2_s0"))
    assert set(fitted.figures) == {block_key(plan, part) for part in parts(plan)}
    assert {one.method for one in fitted.rows.values()} == {"fitted"}
    own = json.loads(run("score", "v2_s0", "--device", "fitted.yaml", "--json").out)
    known = json.loads(run("score", "v2_s0", "--device", "iphone12", "--json").out)
    assert own["latency_ms"] == known["latency_ms"]


def test_fit_prints_json_or_a_table(run: Run) -> None:
    report = json.loads(run("latency", "fit", POINTS, "--json").out)
    assert report["name"] == "iphone12"
    text = run("latency", "fit", POINTS, "-o", "-").out
    assert yaml.safe_load(text)["model"] == report["model"] | {"terms": ANY}
    assert run("latency", "fit", POINTS, "--rows", "v2_s0").code == 2


def test_scores_beyond_a_model_say_so(run: Run) -> None:
    assert run("score", "v2_s0", "--device", "iphone12").err == ""
    larger = run("score", "v2_s0", "--size", "640", "--device", "iphone12")
    assert larger.code == 0
    expected = "note: beyond what the model of iphone12 was fitted to: an image of 640x640"
    assert larger.err.startswith(expected)
