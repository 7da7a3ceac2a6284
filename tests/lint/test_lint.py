"""What rules find, and what they pass by."""

from __future__ import annotations

import json

import pytest

import efspec
from efspec.cost import Latency, given
from efspec.lint import RULES, lint
from efspec.lint.lint import at_least
from efspec.lint.rule import CERTAINTIES, Match
from efspec.plan import Plan
from efspec.resources import shipped_specs
from efspec.spec.schema import NetworkSpec
from tests.latency.tables import figure, table

NAMES = [rule.name for rule in RULES]
PATCHES = "stem={type: patch_stem, kernel: %d, stride: %d, width: 32}"
ATTENTION = "stages.2.blocks.1"
BLOCK = "stages.0.blocks.0"
PYRAMID = "head={type: features, stages: [0, 3]}"
OWN_ACTS = [
    "stem.act=gelu",
    "stages.3.downsample.act=gelu",
    *[f"stages.{stage}.blocks.0.act=gelu" for stage in range(4)],
    *[f"stages.{stage}.blocks.1.act=gelu" for stage in (2, 3)],
]
CASES = [
    ("patch-embedding", [PATCHES % (7, 4)], [PATCHES % (4, 4)]),
    ("patch-embedding", [PATCHES % (5, 3)], [PATCHES % (7, 2)]),
    ("patch-embedding", [PATCHES % (16, 16), "input.size=512"], []),
    ("hardswish", ["defaults.act=hardswish"], ["defaults.act=silu"]),
    ("hardswish", ["stem.act=hardswish"], [PATCHES % (4, 4)]),
    ("hardswish", ["stages.3.downsample.act=hardswish"], []),
    ("hardswish", [f"{BLOCK}.repeat=3", f"{BLOCK}.expansion_ratio=4", f"{BLOCK}.act=hardswish"],
     [*OWN_ACTS, "defaults.act=hardswish"]),
    ("hardswish", [f"{ATTENTION}.act=hardswish"], []),
    ("channel-grain", ["stages.1.width=50"], ["stages.1.width=56"]),
    ("channel-grain", ["stages.0.width=30", "stem.width=30"], []),
    ("channel-grain", ["stem.width=30", "stages.0.downsample={type: conv}"], []),
    ("attention-on-large-maps", [f"{ATTENTION}.stride=1"], []),
    ("attention-on-large-maps", [f"{ATTENTION}.stride=1", "input.size=160"],
     [f"{ATTENTION}.stride=1", "input.size=128"]),
    ("attention-on-large-maps", [f"{ATTENTION}={{type: mb3d}}"], ["input.size=512"]),
    ("strided-keys", [f"{ATTENTION}.stride=1", f"{ATTENTION}.kv_stride=2"], []),
    ("conversions", ["stages.2.blocks.1={type: mb3d}", "stages.3.blocks.1={type: mb3d}"],
     ["stages.3.blocks.1={type: mb3d}"]),
    ("conversions", ["stages.2.blocks.1={type: mb3d}", "stages.3.blocks.1={type: mb3d}", PYRAMID],
     ["stages.3.blocks.1={type: mb3d}", PYRAMID]),
    ("fifth-stage", ["stages.0.downsample={type: conv}"],
     ["stages.0.downsample={type: conv}", PATCHES % (2, 2)]),
    ("large-pool", ["stages.0.blocks.0={type: mb4d, pool_size: 15}"],
     ["stages.0.blocks.0={type: mb4d, pool_size: 13}"]),
    ("rounded-upsampling", ["input.size=240"], ["input.size=192"]),
    ("rounded-upsampling", ["input.size=[224, 208]"], ["input.size=[224, 192]"]),
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
    assert {rule for rule, _, _ in CASES} == set(NAMES)
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
    assert one.message == "a stage at 1/64 of the image, 5 in all"
    assert one.file.endswith("row5_five_stages.yaml")
    assert one.line > 0
    assert one.changes == ()


def test_gains_are_differences_of_scores() -> None:
    spec = efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1"])
    better = efspec.load("v2_s0")
    calls: list[int] = []

    def source(plan: Plan) -> Latency:
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


CERTAIN = {
    ("", ""): ("published", "published"),
    ("iPhone 12", "iOS 15"): ("elsewhere", "published"),
    ("iPhone 12", "iOS 15.4"): ("elsewhere", "published"),
    ("iPhone 12", "iOS 16"): ("published", "elsewhere"),
    ("iPhone 12", "iOS 16.0.2"): ("published", "elsewhere"),
    ("iPhone 12", "iOS 1"): ("elsewhere", "elsewhere"),
    ("A phone", "iOS 16"): ("elsewhere", "elsewhere"),
}
"""How sure V2's and V1's evidence is of a device; V2 measured on iOS 16, and V1 on iOS 15."""


@pytest.mark.parametrize("device", CERTAIN)
def test_what_was_published_of_one_device_was_not_of_another(device: tuple[str, str]) -> None:
    changes = [f"{ATTENTION}.stride=1", "stages.1.width=50", "stem.act=hardswish"]
    name, os = device
    findings = lint(efspec.load("v2_s0", set=changes), device=name, os=os)
    sure = {one.rule: one.certainty for one in findings}
    assert (sure["attention-on-large-maps"], sure["hardswish"]) == CERTAIN[device]
    assert sure["channel-grain"] == "inference"


def test_findings_as_sure_as_that() -> None:
    spec = efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1", "stages.1.width=50"])
    findings = lint(spec, device="A phone")
    assert [len(at_least(findings, c)) for c in CERTAINTIES] == [2, 1, 0]


def test_where_an_activation_is_inherited_it_is_changed_once() -> None:
    found = lint(efspec.load("v2_s0", set=["defaults.act=hardswish", "stem.act=relu"]))
    (one,) = found
    assert (one.field, one.changes) == ("defaults.act", ("defaults.act=gelu",))
    assert one.path == "stages.0.blocks.0"
    assert one.message == "hardswish in 15 parts"


def test_widths_that_must_agree_change_together() -> None:
    (one,) = lint(efspec.load("v2_s0", set=["stem.width=30", "stages.0.width=30"]))
    assert one.field == "stem.width"
    assert one.changes == ("stem.width=32", "stages.0.width=32")


def test_advice_that_makes_no_network_is_not_given() -> None:
    def find(spec: NetworkSpec, plan: Plan) -> list[Match]:
        del spec, plan
        return [Match(("stem",), "stem", "it is there", ("stem.width=7",))]

    rule = RULES[0].replaced(find=find)
    (one,) = lint(efspec.load("v2_s0"), given(1.0), rules=[rule])
    assert (one.changes, one.gain) == ((), None)
    assert one.unknown == "it takes more than changes of fields"


def test_a_table_cannot_show_everything() -> None:
    (one,) = lint(efspec.load("v2_s0", set=["stages.1.width=50"]), given(1.0))
    assert (one.changes, one.gain) == (("stages.1.width=48",), None)
    assert "no width stands out" in one.unknown


def test_without_constants_there_is_no_gain_of_mes() -> None:
    (one,) = lint(efspec.load("v2_s0", set=[f"{ATTENTION}.stride=1"]), given(1.0))
    assert one.gain is not None
    assert (one.gain.ms, one.gain.mes) == (0, None)
