"""Each pass, alone and after the others, leaves what a network computes as it is."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings

import efspec
from efspec.deploy import PASSES, Weights, deploy
from efspec.plan import Plan
from efspec.pytorch.interpret import interpret
from efspec.resources import shipped_specs
from tests.strategies import networks

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

LEAST = 1e-3
TOLERANCE = 1e-9
"""Relative to the largest output: sums in another order, in double precision."""
SIZE = 72
"""Input of shipped specs in pixels: maps of 18, 9, 5 and 3."""
SHARDS, EXAMPLES = 2, 100
"""200 random specs in all; shards let several processes share them."""
IDENTITIES = {
    "efspec": 1,
    "name": "identities",
    "input": {"size": 32},
    "stem": {"type": "patch_stem", "kernel": 16, "stride": 32, "width": 8},
    "stages": [
        {
            "width": 8,
            "blocks": [{"type": "mb4d", "pool_size": 1}, {"type": "mb4d", "mixer": "dwconv"}],
        }
    ],
    "head": {"type": "linear", "classes": 3},
}


def weights_of(plan: Plan) -> Weights:
    """Weights, statistics and layer scales of order one, in double precision."""
    shapes = plan.parameters() | plan.buffers()
    return {key: np.asarray(golden.fill(key, shape), np.float64) for key, shape in shapes.items()}


def run(plan: Plan, weights: Weights) -> list[torch.Tensor]:
    """What a plan computes of an image."""
    assert weights.keys() == plan.parameters().keys() | plan.buffers().keys()
    state = {name: torch.tensor(array) for name, array in weights.items()}
    channels, height, width = plan.input
    x = torch.from_numpy(golden.image(1, max(height, width)).astype(np.float64))
    x = x.repeat(1, -(-channels // 3), 1, 1)[:, :channels, :height, :width]
    return list(interpret(plan, state, x))


def assert_equal(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > LEAST
        assert (one - other).abs().max() <= TOLERANCE * other.abs().max()


def plan_of(name: str) -> Plan:
    return efspec.resolve(efspec.load(name, set=[f"input.size={SIZE}"]))


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs(name: str) -> None:
    plan = plan_of(name)
    weights = weights_of(plan)
    expected = run(plan, weights)
    after, left = plan, weights
    for one in PASSES:
        alone = one(plan)
        assert_equal(run(alone.plan, alone.of(weights)), expected)
        rewriting = one(after)  # and behind the others
        after, left = rewriting.plan, rewriting.of(left)
        assert_equal(run(after, left), expected)
    deployed = deploy(plan).of(weights)
    assert all(np.array_equal(deployed[name], array) for name, array in left.items())


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_specs(shard: int) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(networks())
    def check(fields: dict[str, Any]) -> None:
        plan = efspec.resolve(efspec.load(fields))
        weights = weights_of(plan)
        deployed = deploy(plan)
        expected = run(plan, weights)
        # Few networks give next to nothing, of which rounding is too large a share.
        assume(all(one.abs().max() > LEAST for one in expected))
        assert_equal(run(deployed.plan, deployed.of(weights)), expected)

    check()


def test_every_pass_finds_something() -> None:
    plans = [efspec.resolve(efspec.load(IDENTITIES)), *map(plan_of, shipped_specs())]
    for one in PASSES:
        rewritten = [one(plan).plan for plan in plans]
        assert any(new is not old for new, old in zip(rewritten, plans, strict=True)), one.__name__
        plans = rewritten


def test_identities_go() -> None:
    plan = efspec.resolve(efspec.load(IDENTITIES))
    deployed = deploy(plan)
    assert "AvgPool2d" not in kinds(deployed.plan)
    weights = weights_of(plan)
    assert_equal(run(deployed.plan, deployed.of(weights)), run(plan, weights))


@pytest.mark.parametrize(
    ("name", "count"),
    [("v2_s0", 206), ("v2_s1", 248), ("v2_s2", 382), ("v2_l", 516), ("v1_l1", 141)],
)
def test_op_counts(name: str, count: int) -> None:
    deployed = deploy(efspec.resolve(efspec.load(name)))
    assert len(deployed.plan.ops()) == count
    assert deployed.done[0].before == len(efspec.resolve(efspec.load(name)).ops())
    assert deployed.done[-1].after == count
    befores, afters = ([getattr(d, side) for d in deployed.done] for side in ("before", "after"))
    assert befores[1:] == afters[:-1]


@pytest.mark.parametrize("name", [n for n in shipped_specs() if n.startswith("v2")])
def test_only_what_computes_is_left_of_v2(name: str) -> None:
    assert kinds(deploy(efspec.resolve(efspec.load(name))).plan).keys() == {
        "Conv2d", "Activation", "Add", "Flatten", "SplitHeads", "MatMul", "ScoreBias", "Softmax",
        "MergeHeads", "Unflatten", "Upsample", "GlobalPool", "Linear",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["v1_l1", "v2_s0"])
def test_a_deployed_network_stays_as_it_is(name: str) -> None:
    plan = deploy(efspec.resolve(efspec.load(name))).plan
    for one in PASSES:
        assert one(plan).plan is plan, one.__name__


def test_what_is_read_elsewhere_stays() -> None:
    # The maps of a pyramid are its result and the next stage's input: its norms have no one place
    # to go to.
    head = "{type: features, stages: [0, 1, 2, 3], norm: batch}"
    plan = efspec.resolve(efspec.load("v2_s0", set=[f"head={head}", "input.size=64"]))
    deployed = deploy(plan)
    assert kinds(deployed.plan)["BatchNorm2d"] == 4
    weights = weights_of(plan)
    assert_equal(run(deployed.plan, deployed.of(weights)), run(plan, weights))


def kinds(plan: Plan) -> Counter[str]:
    return Counter(type(placed.op).__name__ for placed in plan.ops())
