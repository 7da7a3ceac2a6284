"""MB4D, the convolutional block of EfficientFormer V1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.layers import ConvMlp, ConvNorm, residual
from efspec.blocks.options import Expected, ResidualSpec, Site
from efspec.plan import Block, Builder, RateArg, SizeArg, Value
from efspec.plan.ops import Activations, AvgPool2d, Subtract

MAX_POOL = 31


class MB4DSpec(ResidualSpec):
    """V1's block on maps: a token mixer, then 1x1 convolutions; a residual around each."""

    type: Literal["mb4d"] = "mb4d"
    mixer: Annotated[Literal["pool", "dwconv"], Expected("pool or dwconv")] = "pool"
    """`pool` averages a window and subtracts the input; `dwconv` is a depthwise 3x3 with BN."""
    pool_size: Annotated[int, Expected(f"an odd integer from 1 to {MAX_POOL}")] = 3
    """Window of the `pool` mixer, an odd number."""

    @field_validator("pool_size")
    @classmethod
    def _centred(cls, value: int) -> int:
        if value % 2 == 0 or not 1 <= value <= MAX_POOL:
            raise PydanticCustomError("out-of-range", "{value} is no window size", {"value": value})
        return value

    def block(self, site: Site) -> Block:
        """See `BlockSpec.block`."""
        return MB4D(mixer=self.mixer, pool_size=self.pool_size, **self.common(site))


class Pooling(Block):
    """Token mixer: the average of a window, minus the input."""

    pool_size: SizeArg = 3

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        pool = AvgPool2d(self.pool_size, 1, self.pool_size // 2)
        return b.apply(Subtract(), b.layer("pool", pool, x), x)


class MB4D(Block):
    """EfficientFormer's 4D block: token mixer and MLP on a map, each with a residual.

    References:
        https://arxiv.org/abs/2206.01191
    """

    hidden_dim: SizeArg
    pool_size: SizeArg = 3
    layer_scale: RateArg | None = 1e-5
    drop_path: RateArg | None = None
    mixer: Literal["pool", "dwconv"]
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        dim = x.channels
        mixer: Block = Pooling(pool_size=self.pool_size)
        if self.mixer == "dwconv":
            mixer = ConvNorm(out_dim=dim, kernel_size=3, groups=dim)
        mlp = ConvMlp(hidden_dim=self.hidden_dim, act=self.act, mid_conv=False)
        y = b.call("token_mixer", mixer, x, purpose="attention")
        x = residual(b, x, y, 1, self.layer_scale, self.drop_path)
        y = b.call("mlp", mlp, x, purpose="mlp")
        return residual(b, x, y, 2, self.layer_scale, self.drop_path)
