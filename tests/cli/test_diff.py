"""`efspec diff`: what it prints, and when it exits with 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from efspec.cli.schema import all_schemas
from efspec.resources import shipped_specs
from tests.cli.conftest import Run

VALIDATOR = Draft202012Validator(json.loads(all_schemas()["diff.schema.json"]))


def difference(text: str) -> Any:
    value = json.loads(text)
    VALIDATOR.validate(value)
    return value


def test_structure_and_costs_are_tables(run: Run) -> None:
    result = run("diff", "v2_s0", "v2_s1")
    assert (result.code, result.err) == (0, "")
    names, structure, totals, stages = result.out.split("\n\n")
    assert names == "A: v2_s0, input 3x224x224\nB: v2_s1, input 3x224x224"
    rows = [line.split() for line in structure.splitlines()]
    assert rows[0] == ["part", "what", "A", "B"]
    assert ["stages.2", "width", "96", "120"] in rows
    assert ["stages.2.blocks.1-2", "added", "-", "ffn"] in rows
    moved = ["stages.3.blocks.2", "->", "stages.3.blocks.4", "expansion_ratio", "3", "4"]
    assert moved in rows
    assert "params         " in totals
    assert totals.splitlines()[1].split()[1:] == ["3,600,256", "6,185,560", "+2,585,304", "+71.81"]
    rows = [line.split()[0] for line in stages.splitlines()[1:]]
    assert rows == ["stem", "0", "1", "2", "3", "head"]


def test_stages_that_came_or_went_are_told(run: Run) -> None:
    rows = ("ablation/row4_depth_and_width", "ablation/row5_five_stages")
    out = run("diff", *rows).out
    assert "\nstages.4             added    -         width 336\n" in out
    assert "\n4 (added)          -  3,539,120     +3,539,120         -  " in out
    assert "\n4 (removed)  3,539,120  " in run("diff", *reversed(rows)).out


def test_nothing_changes(run: Run) -> None:
    result = run("diff", "v1_l1", "ablation/row1_l1", "--check")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\n\nnothing changes\n")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_check_exits_3_on_a_difference(run: Run, options: list[str]) -> None:
    plain = run("diff", "v2_s0", "v2_s1", *options)
    checked = run("diff", "v2_s0", "v2_s1", *options, "--check")
    assert (plain.code, checked.code) == (0, 3)
    assert plain.out == checked.out


@pytest.mark.parametrize("name", shipped_specs())
def test_json_fits_its_schema(run: Run, name: str) -> None:
    result = run("diff", "v2_s1", name, "--json")
    assert (result.code, result.err) == (0, "")
    found = difference(result.out)
    assert (found["a"]["name"], found["same"]) == ("v2_s1", name == "v2_s1")
    score = json.loads(run("score", name, "--json").out)
    for figure, total in found["totals"].items():
        assert total["b"] == score[figure]
        assert total["change"] == total["b"] - total["a"]


def test_set_and_size_change_both(run: Run) -> None:
    plain = difference(run("diff", "v2_s0", "v2_s1", "--json").out)
    found = difference(run("diff", "v2_s0", "v2_s1", "--json", "--size", "96x128").out)
    assert found["a"]["input"] == found["b"]["input"] == [3, 96, 128]
    assert found["changes"] == plain["changes"]
    assert found["totals"]["macs"]["a"] < plain["totals"]["macs"]["a"]
    other = difference(run("diff", "v2_s0", "v2_s1", "--json", "--set", "stages.2.width=96").out)
    assert "stages.2" not in {change["a"] for change in other["changes"]}


def test_one_of_them_may_come_from_standard_input(run: Run, tiny: Path) -> None:
    wider = tiny.read_text().replace("width: 16", "width: 24")
    result = run("diff", "tiny.yaml", "-", "--json", stdin=wider)
    (change,) = difference(result.out)["changes"]
    assert (change["a"], change["options"]) == ("stages.1", [{"name": "width", "a": 16, "b": 24}])


def test_mistakes_of_both_are_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("efspec: 2\n")
    result = run("diff", "nope", "wrong.yaml")
    assert (result.code, result.out) == (1, "")
    assert "error[no-such-spec]" in result.err
    assert "wrong.yaml:1:9: error[unsupported-format]" in result.err
