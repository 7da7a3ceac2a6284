"""`efspec lint`."""

from __future__ import annotations

import json

import jsonschema
import pytest

from efspec.cli.schema import all_schemas
from efspec.lint import RULES
from tests.cli.conftest import Run

WIDE = ["--set", "stages.2.blocks.1.stride=1"]


def test_nothing_is_found_in_a_published_network(run: Run) -> None:
    result = run("lint", "v2_s1", "--fail-on", "inference")
    assert (result.code, result.out) == (0, "v2_s1: nothing found\n")


def test_findings_say_what_they_rest_on(run: Run) -> None:
    result = run("lint", "v2_s0", *WIDE, "--device", "iphone12")
    assert result.code == 0
    first, *lines = result.out.splitlines()
    assert first == "v2_s0: 1 found"
    assert "v2_s0.yaml:" in lines[0]
    assert (
        "attention-on-large-maps (published): stages[2].blocks[1]: 2 x attention of 196" in lines[0]
    )
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  = seen", "  = by", "  = do", "  = as", "  = gain",
    ]  # fmt: skip
    assert "--set stages.2.blocks.1.stride=2" in lines[4]
    assert "on iphone12; 100% fitted" in lines[5]


@pytest.mark.parametrize(("level", "code"), [("published", 3), ("elsewhere", 3), ("inference", 3)])
def test_fail_on(run: Run, level: str, code: int) -> None:
    assert run("lint", "v2_s0", *WIDE, "--fail-on", level).code == code
    grain = run("lint", "v2_s0", "--set", "stages.1.width=50", "--fail-on", level)
    assert grain.code == (3 if level == "inference" else 0)
    ignored = ["--ignore", "attention-on-large-maps"]
    assert run("lint", "v2_s0", *WIDE, *ignored, "--fail-on", level).code == 0


@pytest.mark.parametrize("specs", [["v2_s0"], ["v2_s0", "v1_l1"]])
@pytest.mark.parametrize("device", [[], ["--device", "iphone12"]])
def test_json(run: Run, specs: list[str], device: list[str]) -> None:
    result = json.loads(run("lint", *specs, *WIDE[:0], *device, "--json").out)
    jsonschema.validate(result, json.loads(all_schemas()["lint.schema.json"]))
    last = result[-1] if len(specs) > 1 else result
    assert last["name"] == specs[-1]
    assert [one["rule"] for one in last["findings"]] == ["layer-norm"] * (len(specs) - 1)


def test_a_change_that_a_table_sees_no_gain_in_is_told_as_such(run: Run) -> None:
    out = run("lint", "v1_l1", "--device", "iphone12").out
    assert "  = gain: none is predicted: latency +0." in out


def test_a_wrong_spec_keeps_no_other_from_being_looked_at(run: Run) -> None:
    result = run("lint", "v1_l1", "nope", "v2_s0", "--fail-on", "published")
    assert result.code == 1
    assert [line.split(":")[0] for line in result.out.splitlines() if "found" in line] == [
        "v1_l1", "v2_s0",
    ]  # fmt: skip
    assert result.err.startswith("error[no-such-spec]: ")
    result = run("lint", "nope", "--json")
    assert (result.code, result.out) == (1, "")


def test_json_lines_are_several_specs(run: Run) -> None:
    lines = '{"extends": "v2_s0"}\n{"extends": "v2_s1", "set": {"stages.2.blocks.1.stride": 1}}\n'
    for count, text in ((2, lines), (1, lines.splitlines()[0])):
        result = run("lint", "-", "--input-format", "jsonl", "--json", stdin=text)
        found = json.loads(result.out)
        jsonschema.validate(found, json.loads(all_schemas()["lint.schema.json"]))
        assert [len(one["findings"]) for one in found] == [0, 1][:count]


def test_evidence_of_another_system_is_from_elsewhere(run: Run) -> None:
    slow = ["lint", "v2_s0", "--set", "stem.act=hardswish"]
    assert "hardswish (published): stem.act" in run(*slow).out
    assert "hardswish (elsewhere): stem.act" in run(*slow, "--device", "iphone12").out
    assert run(*slow, "--device", "iphone12", "--fail-on", "published").code == 0


def test_rules_are_listed(run: Run) -> None:
    text = run("lint", "--rules").out
    assert all(f"{rule.name}: {rule.certainty}" in text for rule in RULES)
    listed = json.loads(run("lint", "--rules", "--json").out)
    assert [one["name"] for one in listed] == [rule.name for rule in RULES]
    assert run("lint").code == 2
