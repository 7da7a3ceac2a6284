"""The unified FFN, the local block of EfficientFormer V2."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.layers import ConvMlp, residual
from efspec.blocks.options import ResidualSpec, Site
from efspec.plan import Block, Builder, RateArg, SizeArg, Value
from efspec.plan.ops import Activations


class FFNSpec(ResidualSpec):
    """V2's local block on maps: 1x1, depthwise 3x3, 1x1 convolution, with one residual."""

    type: Literal["ffn"] = "ffn"

    def block(self, site: Site) -> Block:
        """See `BlockSpec.block`."""
        return FFN(**self.common(site))


class FFN(Block):
    """Feed-forward block with locality: an inverted bottleneck around a depthwise 3x3.

    References:
        https://arxiv.org/abs/2212.08059
    """

    hidden_dim: SizeArg
    layer_scale: RateArg | None = 1e-5
    drop_path: RateArg | None = None
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        mlp = ConvMlp(hidden_dim=self.hidden_dim, act=self.act, mid_conv=True)
        y = b.call("mlp", mlp, x, purpose="mlp")
        # The published names number the residuals by what they are: 2 is the feed-forward's.
        return residual(b, x, y, 2, self.layer_scale, self.drop_path)
