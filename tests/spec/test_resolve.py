"""Resolving: the published sizes, the drop-path schedule, and mistakes at their fields."""

from __future__ import annotations

import math

import pytest

from efspec.blocks.network import Network, Stage
from efspec.errors import EfspecError
from efspec.plan import Block, Plan
from efspec.spec import load, loads, resolve
from tests.spec.test_loading import TINY

PARAMETERS = {
    "v1_l1": 12_289_928,
    "v1_l3": 31_406_000,
    "v1_l7": 82_229_328,
    "v2_s0": 3_600_256,
    "v2_s1": 6_185_560,
    "v2_s2": 12_710_112,
    "v2_l": 26_322_288,
}


def network(plan: Plan) -> Network:
    assert isinstance(plan.network.block, Network)
    return plan.network.block


def rates(plan: Plan) -> list[object]:
    blocks: list[Block] = []
    for stage in network(plan).stages:
        assert isinstance(stage, Stage)
        blocks += stage.blocks.items
    return [getattr(block, "drop_path") for block in blocks]  # noqa: B009 - not of every block


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_published_sizes(name: str) -> None:
    plan = resolve(load(name))
    assert sum(math.prod(shape) for shape in plan.parameters().values()) == PARAMETERS[name]
    assert (plan.name, plan.input) == (name, (3, 224, 224))


def test_linear_schedule() -> None:
    plan = resolve(load("v2_s2"))
    assert rates(plan) == [0.02 * i / 27 for i in range(28)]
    assert network(plan).drop_path == 0.02


def test_one_block_is_the_first_of_a_schedule() -> None:
    options = ["stages.0.blocks.0.repeat=1", "defaults.drop_path={linear: 0.5}"]
    plan = resolve(loads(TINY, set=options))
    assert rates(plan) == [None]
    assert network(plan).drop_path == 0.5


def test_a_block_has_its_own_rates() -> None:
    options = ["stages.0.blocks.0.drop_path=[0.25, 0]", "defaults.drop_path={linear: 0.5}"]
    assert rates(resolve(loads(TINY, set=options))) == [0.25, 0.0]
    assert rates(resolve(loads(TINY, set=["defaults.drop_path=0.25"]))) == [0.25, 0.25]
    assert network(resolve(loads(TINY, set=["defaults.drop_path=0.25"]))).drop_path is None


def test_networks_that_never_drop_have_no_drop_path() -> None:
    for option in ("defaults.drop_path={linear: 0}", "stages.0.blocks.0.drop_path=[0, 0]"):
        plan = resolve(loads(TINY, set=[option]))
        assert rates(plan) == [None, None]
        assert network(plan).drop_path is None


def test_hash_and_description() -> None:
    plan = resolve(loads(TINY, set=["description=what it is"]))
    assert plan.description == "what it is"
    assert len(plan.hash) == 64


def test_mistakes_of_specs_made_in_python() -> None:
    spec = load("v2_s0", set=["input.size=4096"])
    again = type(spec).model_validate(spec.model_dump())
    with pytest.raises(EfspecError) as info:
        resolve(again)
    assert {d.file for d in info.value.diagnostics} == {""}
    assert "stages[2].blocks[1]" in {d.field for d in info.value.diagnostics}
