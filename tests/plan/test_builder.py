"""What a block's author is told by the builder."""

from __future__ import annotations

import pytest

from efspec.plan import Block, Builder, SizeArg, Value, map_shape, parametric, trace
from efspec.plan.ops import Activation, BatchNorm2d, LayerOp, Upsample


class Layers(Block):
    """Applies layers under one name, one after the other."""

    width: SizeArg = 8
    ops: tuple[LayerOp, ...] = ()

    def forward(self, b: Builder, x: Value) -> Value:
        for op in self.ops:
            x = b.layer("one", op, x)
        return x


def test_a_stateless_layer_may_be_applied_again() -> None:
    act = Activation("relu")
    module = trace(Layers(ops=(act, act, act)), map_shape(8, 4, 4))
    assert len(module.steps) == 3


@pytest.mark.parametrize(
    "ops",
    [
        (Activation("relu"), Activation("gelu")),
        (Activation("relu"), Upsample(4, 4)),
        (Activation("relu"), BatchNorm2d(8)),
        (BatchNorm2d(8), Activation("relu")),
        (BatchNorm2d(8), BatchNorm2d(8)),
    ],
    ids=repr,
)
def test_a_name_stands_for_one_layer(ops: tuple[LayerOp, ...]) -> None:
    with pytest.raises(ValueError, match="'one'"):
        trace(Layers(ops=ops), map_shape(8, 4, 4))


class Rewritten(Block):
    """Upsamples twice under one name, to sizes that are equal and written differently."""

    side: SizeArg = 4

    def forward(self, b: Builder, x: Value) -> Value:
        x = b.layer("up", Upsample(*x.space), x)
        return b.layer("up", Upsample(self.side, self.side), x)


def test_a_layer_is_written_in_one_way() -> None:
    module = trace(Rewritten(), map_shape(8, 4, 4))
    with pytest.raises(ValueError, match="'up'"):
        parametric(module)


class Child(Block):
    """Calls a child, and applies a layer, under one name."""

    def forward(self, b: Builder, x: Value) -> Value:
        return b.layer("one", Activation("relu"), b.call("one", Layers(), x))


def test_a_layer_is_no_child() -> None:
    with pytest.raises(ValueError, match="two children are called 'one'"):
        trace(Child(), map_shape(8, 4, 4))
