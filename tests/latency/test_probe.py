"""Probes of every part of every shipped network: what they hold, and what they compute."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

import efspec
from efspec.latency.probe import Harness, Probe, probe_plan, reference, wanted
from efspec.latency.run_torch import images, module_of
from efspec.latency.weights import deployed_with_weights
from efspec.onnx.emit import emit, encode
from efspec.onnx.runtime import run
from efspec.plan import Plan, parts
from efspec.plan.key import block_key
from efspec.resources import shipped_specs

PYRAMID = {"type": "features", "stages": [0, 3]}
TOLERANCE = 1e-4
"""Of two runtimes in single precision, as a share of the largest result."""


def plan(name: str, **changes: Any) -> Plan:
    return efspec.resolve(efspec.load({"extends": name, "name": "probed", **changes}))


PLANS = {
    "v2_s0": plan("v2_s0"),
    "v1_l1": plan("v1_l1"),
    "pyramid": plan("v2_s0", head={**PYRAMID, "norm": "batch"}),
    "pyramid_v1": plan("v1_l1", head={**PYRAMID, "norm": "layer"}),
}
PROBES = [one.probe for one in wanted(PLANS.values()).values()]


def macs(one: Plan) -> int:
    return efspec.score(one).macs


def test_every_part_is_wanted_as_often_as_it_is_there() -> None:
    plans = [efspec.resolve(efspec.load(name)) for name in shipped_specs()]
    found = wanted(plans)
    keys = [block_key(one, part) for one in plans for part in parts(one)]
    assert {key: keys.count(key) for key in keys} == {k: one.count for k, one in found.items()}
    assert all(one.probe.key == key for key, one in found.items())


@pytest.mark.parametrize("name", PLANS)
def test_copies_cost_what_parts_do(name: str) -> None:
    one = PLANS[name]
    for part in parts(one):
        (probe,) = [p for p in PROBES if p.key == block_key(one, part)]
        if part.module is None or len(probe.terms) > 1:
            continue
        ((_, harness),) = probe.terms
        counts = [macs(probe_plan(harness, n)) for n in (1, 2, 5)]
        whole = efspec.score(one).blocks
        (own,) = [row.macs for row in whole if row.name == part.path]
        assert counts == [own, 2 * own, 5 * own]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.key)[:40])
def test_probes_run_alike_everywhere(probe: Probe) -> None:
    for _, harness in probe.terms:
        deployed, weights = deployed_with_weights(probe_plan(harness, 3))
        assert deployed.deployed
        x = images(deployed, 1)
        with torch.inference_mode():
            ours = module_of(deployed, weights)(x).numpy()
        (theirs,) = run(encode(emit(deployed, weights)), x.numpy())
        assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(ours).max()
        assert 0.01 < ours.std() < 1000  # half precision holds it


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.key)[:40])
def test_no_two_tensors_of_a_probe_are_equal(probe: Probe) -> None:
    for _, harness in probe.terms:
        _, weights = deployed_with_weights(probe_plan(harness, 2))
        for (one, a), (other, b) in combinations(sorted(weights.items()), 2):
            counts = one.endswith("num_batches_tracked")
            assert counts or a.shape != b.shape or not np.array_equal(a, b), f"{one} and {other}"


def test_weights_are_the_same_each_time_and_others_of_another_seed() -> None:
    one = probe_plan(PROBES[0].terms[0][1], 2)
    first, again, other = (deployed_with_weights(one, seed)[1] for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)


def test_parts_that_keep_their_shape_are_chained() -> None:
    kinds = {probe.key.type: probe.terms[0][1].kind for probe in PROBES if len(probe.terms) == 1}
    assert kinds["FFN"] == kinds["MB4D"] == kinds["MB3D"] == kinds["StrideAttnFFN"] == "chain"
    assert kinds["ConvStem"] == kinds["Downsample"] == kinds["AttentionDownsample"] == "parallel"
    assert kinds["Head"] == "parallel"


def test_a_conversion_is_what_it_adds_to_its_neighbours() -> None:
    for probe in PROBES:
        if probe.key.type not in ("MapToTokens", "TokensToMap"):
            continue
        assert [times for times, _ in probe.terms] == [1, -1, -1]
        between, conv, norm = ([ops(h, n) for n in (2, 3)] for _, h in probe.terms)
        extra = [b - c - n for b, c, n in zip(between, conv, norm, strict=True)]
        assert extra[1] - extra[0] == 1  # one conversion for each copy more


def ops(harness: Harness, copies: int) -> int:
    return len(deployed_with_weights(probe_plan(harness, copies))[0].ops())


def test_the_reference_takes_images() -> None:
    one = PLANS["v2_s0"]
    assert probe_plan(reference(one), 1).input == one.input
