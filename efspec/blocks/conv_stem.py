"""The convolutional stem of both EfficientFormers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from efspec.blocks.layers import ConvNorm
from efspec.blocks.options import (
    MAX_WIDTH,
    Expected,
    InheritedAct,
    StemSpec,
    resolve_act,
)
from efspec.plan import Block, Builder, SizeArg, Value
from efspec.plan.ops import Activation, Activations


class ConvStemSpec(StemSpec):
    """Two 3x3 convolutions of stride 2, the first of half the width."""

    type: Literal["conv_stem"] = "conv_stem"
    width: Annotated[
        int, Field(ge=2, le=MAX_WIDTH), Expected(f"an integer from 2 to {MAX_WIDTH:,}")
    ]
    """Channels of the result; the first convolution has half of them."""
    act: InheritedAct = "inherit"
    """Activation after each convolution; by default that of `defaults`."""

    def block(self, act: Activations) -> Block:
        """The stem, with the spec's default activation."""
        return ConvStem(out_dim=self.width, act=resolve_act(self.act, act))


class ConvStem(Block):
    """Two stride-2 convolutions: (B, dim, H, W) to (B, out_dim, H / 4, W / 4)."""

    out_dim: SizeArg
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / 4, W / 4), rounded up."""
        act = Activation(self.act)
        first = ConvNorm(out_dim=self.out_dim // 2, kernel_size=3, stride=2)
        second = ConvNorm(out_dim=self.out_dim, kernel_size=3, stride=2)
        x = b.layer("act", act, b.call("conv1", first, x), var="x")
        return b.layer("act", act, b.call("conv2", second, x))
