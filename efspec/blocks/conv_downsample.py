"""Downsampling by a strided convolution."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.layers import ConvNorm
from efspec.blocks.options import DownsampleSpec
from efspec.plan import Block, Builder, SizeArg, Value
from efspec.plan.ops import Activations


class ConvDownsampleSpec(DownsampleSpec):
    """A 3x3 convolution of stride 2, then batch norm."""

    type: Literal["conv"] = "conv"

    def block(self, width: int, act: Activations) -> Block:
        """The downsample to `width` channels; it has no activation."""
        del act
        return Downsample(out_dim=width)


class Downsample(Block):
    """Stride-2 convolution: (B, dim, H, W) to (B, out_dim, H / 2, W / 2)."""

    out_dim: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / 2, W / 2), rounded up."""
        return b.call("conv", ConvNorm(out_dim=self.out_dim, kernel_size=3, stride=2), x)
