"""What rules find, and what they pass by."""

from __future__ import annotations

import json

import pytest

import efspec
from efspec.cost import given
from efspec.lint import RULES, lint
from efspec.lint.lint import at_least
from efspec.lint.rule import CERTAINTIES
from efspec.resources import shipped_specs
from tests.latency.tables import figure, table

NAMES = [rule.name for rule in RULES]
PATCHES = "stem={type: patch_stem, kernel: %d, stride: %d, width: 32}"
ATTENTION = "stages.2.blocks.1"
CASES = [
    ("patch-embedding", [PATCHES % (7, 4)], [PATCHES % (3, 4)]),
    ("patch-embedding", [PATCHES % (16, 16), "input.size=512"], []),
    ("hardswish", ["defaults.act=hardswish"], ["defaults.act=silu"]),
    ("hardswish", ["stem.act=hardswish"], []),
    ("hardswish", ["stages.3.downsample.act=hardswish"], []),
    ("hardswish", [f"{ATTENTION}.act=hardswish"], []),
    ("channel-grain", ["stages.1.width=50"], ["stages.1.width=56"]),
    ("channel-grain", ["stages.0.width=30", "stem.width=30"], []),
    ("attention-on-large-maps", [f"{ATTENTION}.stride=1"], []),
    ("attention-on-large-maps", ["input.size=288"], ["input.size=256"]),
    ("strided-keys", [f"{ATTENTION}.stride=1", f"{ATTENTION}.kv_stride=2"], []),
    ("conversions", ["stages.2.blocks.1={type: mb3d}", "stages.3.blocks.1={type: mb3d}"], []),
    ("layer-norm", ["stages.3.blocks.1={type: mb3d, repeat: 2}"], []),
    ("layer-norm-on-maps", ["head={type: features, stages: [3], norm: layer}"],
     ["head={type: features, stages: [3], norm: batch}"]),
]  # fmt: skip


def found(*changes: str, name: str = "v2_s0") -> list[str]:
    return [one.rule for one in lint(efspec.load(name, set=changes))]


@pytest.mark.parametrize(("rule", "changes", "narrowly_not"), CASES)
def test_rules(rule: str, changes: list[str], narrowly_not: list[str]) -> None:
    assert rule in found(*changes)
    assert rule not in found(*narrowly_not)


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _, _ in CASES} | {"fifth-stage"} == set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    for rule in RULES:
        assert rule.certainty in CERTAINTIES
        assert bool(rule.device) == (rule.certainty != "inference")
        assert rule.evidence
        assert rule.source


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs(name: str) -> None:
    expected = []
    if name.startswith("v1_") or any(f"row{n}" in name for n in (1, 2, 3)):
        expected = ["layer-norm"]
    elif "row5" in name:
        expected = ["fifth-stage"]
    elif "row7" in name:
        expected = ["attention-on-large-maps"]
    assert found(name=name) == expected


@pytest.mark.parametrize(("rule", "changes", "narrowly_not"), CASES)
def test_what_is_advised_takes_it_away(
    rule: str, changes: list[str], narrowly_not: list[str]
) -> None:
    del narrowly_not
    spec = efspec.load("v2_s0", set=changes)
    advised = [one for one in lint(spec) if one.rule == rule and one.changes]
    for one in advised:
        better = efspec.load(json.loads(efspec.dump(spec, format="json")), set=one.changes)
        left = [again for again in lint(better) if (again.rule, again.field) == (rule, one.field)]
        assert not left


def test_a_fifth_stage() -> None:
    (one,) = lint(efspec.load("ablation/row5_five_stages"))
    assert (one.rule, one.field, one.path) == ("fifth-stage", "stages[4]", "stages.4")
    assert one.file.endswith("row5_five_stages.yaml")
    assert one.line > 0
    assert one.changes == ()


def test_gains_are_differences_of_scores() -> None:
    spec = efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1"])
    better = efspec.load("v2_s0")
    calls: list[int] = []

    def source(plan: efspec.Plan) -> efspec.cost.Latency:
        calls.append(1)
        return given(3.5 if len(calls) == 1 else 1.5)(plan)

    (one,) = lint(spec, source, efspec.load_mes())
    assert one.gain is not None
    assert one.gain.ms == 2
    after, before = efspec.score(better, latency=1.5), efspec.score(spec, latency=3.5)
    assert after.mes is not None
    assert before.mes is not None
    assert one.gain.mes == after.mes - before.mes
    assert one.unknown == ""


def test_what_a_table_does_not_say_is_not_known() -> None:
    from efspec.latency import Device

    empty = Device(table({"FFN(hidden_dim=4; act=gelu) @ 4x8x8": figure(1)}))
    (one,) = lint(efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1"]), empty, efspec.load_mes())
    assert one.gain is None
    assert one.unknown.startswith("bench has no latency of ConvStem")


def test_what_was_published_of_one_device_was_not_of_another() -> None:
    spec = efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1", "stages.1.width=50"])
    own = {one.rule: one.certainty for one in lint(spec, device="iPhone 12")}
    other = {one.rule: one.certainty for one in lint(spec, device="A phone")}
    assert own["attention-on-large-maps"] == "published"
    assert other["attention-on-large-maps"] == "elsewhere"
    assert own["channel-grain"] == other["channel-grain"] == "inference"
    findings = lint(spec, device="A phone")
    assert [len(at_least(findings, c)) for c in CERTAINTIES] == [2, 1, 0]
