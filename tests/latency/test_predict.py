"""What cost models say, where they keep silent, and what their figures are worth."""

from __future__ import annotations

import pytest

import efspec
from efspec.latency.features import Features, part_features
from efspec.latency.model import CostModelSpec, DomainSpec, IntervalSpec, TermsSpec
from efspec.latency.predict import Fitted, beyond, bounds, cost, parts_ns, predict, unseen
from efspec.plan import Part, Plan, parts

OPS = ("add", "conv 1x1", "conv 3x3", "depthwise 3x3", "gelu", "global_pool", "linear")


def terms(**given: object) -> TermsSpec:
    return TermsSpec.model_validate(given)


TERMS = terms(
    roofline={"ns": 20.0, "per": "kB", "macs_per_byte": 50}, ops={"ns": 1000.0, "per": "op"}
)


def model(ops: tuple[str, ...] = OPS, largest: int = 10**9) -> CostModelSpec:
    return CostModelSpec(
        terms=TERMS,
        interval=IntervalSpec(low=0.8, high=1.25, networks=9),
        domain=DomainSpec(ops=ops, input=(224, 512), largest={"roofline": largest}),
    )


def plan(*changes: str) -> Plan:
    fields = {
        "efspec": 1,
        "name": "small",
        "input": {"size": 224},
        "stem": {"type": "conv_stem", "width": 16},
        "stages": [{"width": 16, "blocks": [{"type": "ffn", "repeat": 2}]}],
        "head": {"type": "distilled", "classes": 10},
    }
    return efspec.resolve(efspec.load(fields, set=changes))


def fitted(model: CostModelSpec, plan: Plan, part: Part) -> Fitted:
    found = predict(model, plan, part)
    assert found
    return found


def test_cost_is_nanoseconds_per_unit() -> None:
    assert cost(TERMS, Features(roofline=3_000, ops=2)) == 3 * 20 + 2 * 1000
    assert cost(terms(macs={"ns": 7.0, "per": "MMAC"}), Features(macs=2_000_000)) == 14
    assert cost(terms(softmax={"ns": 5.0, "per": "kilo"}), Features(softmax=1_000)) == 5
    assert cost(terms(wide_heads={"ns": 5.0, "per": "head"}), Features(wide_heads=8)) == 40
    assert cost(terms(), Features(ops=2)) == 0


def test_parts_add_up_and_have_ranges() -> None:
    network = plan()
    found = [fitted(model(), network, part) for part in parts(network)]
    assert sum(one.ns for one in found) == parts_ns(TERMS, network)
    for one, part in zip(found, parts(network), strict=True):
        assert one.ns == cost(TERMS, part_features(network, part, 50))
        assert (one.low_ns, one.high_ns) == bounds(model().interval, one.ns)
        assert one.low_ns <= one.ns * 0.8 < one.ns < one.ns * 1.25 <= one.high_ns
        assert one.beyond == ()


def test_ops_that_were_never_seen_are_not_guessed() -> None:
    network = plan("defaults={act: hardswish}")
    stem = parts(network)[0]
    assert unseen(model(), network, stem) == ("hardswish",)
    assert predict(model(), network, stem) is None
    assert any("hardswish, never seen" in text for text in beyond(model(), network))


def test_larger_parts_and_images_are_said_to_be_beyond() -> None:
    network = plan()
    assert beyond(model(), network) == ()
    found = fitted(model(largest=1000), network, parts(network)[0])
    assert found.ns == fitted(model(), network, parts(network)[0]).ns
    assert len(found.beyond) == 1
    assert found.beyond[0].startswith("roofline of ")
    assert beyond(model(), plan("input.size=640"))[0] == "an image of 640x640, beyond 224 to 512"
    assert beyond(model(), plan("input.size=[224, 192]"))[0].startswith("an image of 224x192")


@pytest.mark.parametrize(
    "wrong",
    [
        {"roofline": {"ns": -1.0, "per": "kB", "macs_per_byte": 80}},
        {"roofline": {"ns": float("nan"), "per": "kB", "macs_per_byte": 80}},
        {"roofline": {"ns": 1.0, "per": "MMAC", "macs_per_byte": 80}},
        {"roofline": {"ns": 1.0, "per": "kB"}},
        {"wide_heads": {"ns": 1.0, "per": "op"}},
        {"params": {"ns": 1.0, "per": "kB"}},
    ],
    ids=["negative", "nan", "unit", "ridge", "head", "unknown"],
)
def test_terms_are_strict(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TermsSpec.model_validate(wrong)


def test_an_interval_holds_1() -> None:
    with pytest.raises(ValueError, match="leaves out 1"):
        IntervalSpec(low=1.1, high=1.2, networks=1)
