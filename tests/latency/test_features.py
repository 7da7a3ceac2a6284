"""What parts ask of a device: by hand, and without deploying as after it."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.cost import count_module
from efspec.deploy import deploy
from efspec.latency.features import (
    Features,
    module_features,
    op_features,
    op_kind,
    part_features,
    part_kinds,
    total,
)
from efspec.plan import Plan, map_shape, parts
from efspec.plan.ops import Activation, AvgPool2d, Conv2d, Shape, Softmax, Upsample
from efspec.resources import shipped_specs
from tests.strategies import networks

RIDGE = 50


def features(plan: Plan) -> list[Features]:
    return [part_features(plan, part, RIDGE) for part in parts(plan)]


def kinds(plan: Plan) -> list[frozenset[str]]:
    return [part_kinds(plan, part) for part in parts(plan)]


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_networks_are_counted_as_deployed(name: str) -> None:
    plan = efspec.resolve(efspec.load(name))
    deployed = deploy(plan).plan
    assert features(plan) == features(deployed)
    assert kinds(plan) == kinds(deployed)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=128))
def test_networks_are_counted_as_deployed(fields: dict[str, object]) -> None:
    plan = efspec.resolve(efspec.load(fields))
    deployed = deploy(plan).plan
    assert features(plan) == features(deployed)
    assert kinds(plan) == kinds(deployed)


def test_features_add_up_to_those_of_the_ops() -> None:
    deployed = deploy(efspec.resolve(efspec.load("v2_s0"))).plan
    ops = [
        op_features(placed.op, placed.input_shapes, placed.output_shapes[0], RIDGE)
        for placed in deployed.ops()
    ]
    whole = total(features(deployed))
    assert total(ops) == whole
    assert whole.macs == count_module(deployed.network).macs
    assert whole.macs == whole.dense + whole.pointwise + whole.depthwise + whole.matmul
    parameters = sum(map(prod, deployed.parameters().values()))
    assert whole.weights == 2 * parameters


def test_a_convolution_by_hand() -> None:
    """One that waits for memory, and the same where it computes for longer."""
    op = Conv2d(8, 16, 3, padding=1)
    x, y = map_shape(8, 10, 10), map_shape(16, 10, 10)
    parameters, macs = 16 * 8 * 9 + 16, 16 * 100 * 8 * 9
    moved = 2 * (8 * 100 + 16 * 100)
    expected = Features(
        roofline=2 * parameters + moved,
        weights=2 * parameters,
        activations=moved,
        macs=macs,
        dense=macs,
        ops=1,
    )
    assert op_features(op, (x,), y, 1000) == expected
    assert op_features(op, (x,), y, 5) == expected._replace(roofline=macs // 5)


def test_attention_is_wide_beyond_64_queries() -> None:
    for queries, wide in ((64, 0), (65, 8)):
        scores = Shape((8, queries, 300))
        assert op_features(Softmax(), (scores,), scores, RIDGE).wide_heads == wide


def test_what_rides_on_another_op_is_free() -> None:
    x = map_shape(4, 6, 6)
    for op in (Activation("gelu"), AvgPool2d(1), Upsample(6, 6)):
        assert op_features(op, (x,), x, RIDGE) == Features()
    assert op_features(AvgPool2d(3, padding=1), (x,), x, RIDGE).ops == 1


def test_kinds_tell_what_changes_speed() -> None:
    ops = [Conv2d(4, 4, 7, groups=4), Conv2d(4, 4, 1), Activation("hardswish"), AvgPool2d(3)]
    assert [op_kind(op) for op in ops] == ["depthwise 7x7", "conv 1x1", "hardswish", "pool 3x3"]


def test_equal_blocks_are_counted_once() -> None:
    plan = efspec.resolve(efspec.load("v2_s1"))
    first, second = (part.module for part in parts(plan)[1:3])
    assert first
    assert first is second
    assert module_features(first, RIDGE) is module_features(second, RIDGE)
