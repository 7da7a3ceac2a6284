"""Figures without a plan are those of the plan."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings

from efspec.api import load_mes
from efspec.batch import pieces, summarise
from efspec.batch import summary as module
from efspec.batch.pieces import Pieces
from efspec.blocks.options import BlockSpec, Site, at
from efspec.cost import Latency, score
from efspec.errors import EfspecError
from efspec.latency import device_source
from efspec.plan import Block, Builder, Plan, SizeArg, Value, map_shape, parts
from efspec.plan.key import block_key
from efspec.plan.ops import Conv2d
from efspec.resources import shipped_specs
from efspec.spec.loader import load
from efspec.spec.resolve import resolve
from tests.strategies import networks


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs(name: str) -> None:
    for changes in ([], ["input.size=[200, 160]"], ["defaults.drop_path={linear: 0.1}"]):
        spec = load(name, set=changes)
        assert summarise(spec) == score(resolve(spec)).summary()


@settings(max_examples=200, deadline=None)
@given(networks())
def test_random_specs(fields: dict[str, Any]) -> None:
    spec = load(fields)
    expected = score(resolve(spec)).summary()
    assert summarise(spec) == expected
    assert summarise(spec) == expected  # and from pieces that are known


@pytest.mark.parametrize("name", shipped_specs())
def test_latencies_are_those_of_the_score(name: str) -> None:
    source, mes = device_source("iphone12"), load_mes()
    spec = load(name)
    assert summarise(spec, source, mes) == score(resolve(spec), source, mes).summary()
    pyramid = load(name, set=["head={type: features, stages: [0, 2], norm: batch}"])
    assert summarise(pyramid, source) == score(resolve(pyramid), source).summary()


def test_a_source_is_asked_once_for_each_piece() -> None:
    asked: list[str] = []
    known = device_source("iphone12")

    def source(plan: Plan) -> Latency:
        asked.append(plan.name)
        return known(plan)

    for _ in range(3):
        summarise(load("v2_s1"), source)
    plan = resolve(load("v2_s1"))
    keys = {block_key(plan, part) for part in parts(plan)}
    assert len(asked) == len(keys)


def test_what_a_source_does_not_know_is_told_of_the_whole_network() -> None:
    with pytest.raises(EfspecError) as error:
        summarise(load("v2_s0", set=["defaults.act=relu6"]), device_source("iphone12"))
    assert {d.name for d in error.value.diagnostics} == {"missing-latency"}
    assert "stem" in {d.field for d in error.value.diagnostics}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("stages.0.blocks.0.expansion_ratio=0.01", "no-channels"),
        ("stages.0.blocks.0={type: attn_ffn, num_heads: 1024, repeat: 2}", "attention-too-large"),
        ("stages.3.blocks.0={type: mb3d, key_dim: 4096, num_heads: 1024}", "too-many-parameters"),
    ],
)
def test_mistakes_are_those_of_resolving(change: str, name: str) -> None:
    spec = load("v2_s0", set=[change, "input.size=512"])
    for _ in range(2):
        with pytest.raises(EfspecError, match=name):
            summarise(spec)


def test_pieces_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MAX_KEPT", 8)
    monkeypatch.setattr(module, "_PIECES", Pieces())
    for name in ("v2_s0", "v2_s1", "v1_l1", "v2_s0"):
        spec = load(name)
        assert summarise(spec) == score(resolve(spec)).summary()
        assert kept(module._PIECES) <= 8


def kept(known: Pieces) -> int:
    """How many things are kept."""
    places = known._places.values()
    groups = [group for place in places for group in (place.pieces, *place.groups.values())]
    return sum(map(len, groups))


class Shrinking(Block):
    """Halves the map."""

    out_dim: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        return b.layer("conv", Conv2d(x.channels, self.out_dim, 3, 2, 1), x)


class ShrinkingSpec(BlockSpec):
    """A block after which the map is another."""

    type: Literal["shrinking"] = "shrinking"

    def block(self, site: Site) -> Block:
        return Shrinking(out_dim=site.width)


def test_blocks_that_change_the_shape_are_counted_in_order() -> None:
    for spec in (ShrinkingSpec(repeat=3), ShrinkingSpec(repeat=3)):  # and those that are known
        place = module._PIECES.place(map_shape(8, 16, 12))
        found = module._repeats(place, (8, "gelu", None, None), spec)
        assert [piece.behind.shape.sizes for piece in found] == [(8, 8, 6), (8, 4, 3), (8, 2, 2)]
        weights = 8 * 8 * 9
        assert [piece.macs for piece in found] == [weights * n for n in (48, 12, 4)]


class TwoOptions(BlockSpec):
    """A block with two options that each repeat may have alone."""

    type: Literal["two_options"] = "two_options"
    per_repeat = ("wide", "strided")
    wide: tuple[int, ...] | int = 1
    strided: tuple[bool, ...] | bool = False

    def block(self, site: Site) -> Block:
        width = site.width * at(self.wide, site.index)
        return Shrinking(out_dim=width) if at(self.strided, site.index) else Widening(out_dim=width)


class Widening(Block):
    """Keeps the map's size."""

    out_dim: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        return b.layer("conv", Conv2d(x.channels, self.out_dim, 1), x)


def test_each_repeat_may_have_several_options_alone() -> None:
    place = module._PIECES.place(map_shape(8, 16, 12))
    spec = TwoOptions(repeat=3, wide=(1, 2, 1), strided=(False, True, False))
    found = module._repeats(place, (8, "gelu", None, None), spec)
    assert [piece.behind.shape.sizes for piece in found] == [(8, 16, 12), (16, 8, 6), (8, 8, 6)]
