"""Pieces that several blocks are made of."""

from __future__ import annotations

from efspec.plan import Block, Builder, RateArg, SizeArg, Value
from efspec.plan.ops import (
    Activation,
    Activations,
    Add,
    BatchNorm2d,
    Conv2d,
    DropPath,
    LayerScale,
    Linear,
)


class ConvNorm(Block):
    """Convolution followed by batch normalization."""

    out_dim: SizeArg
    kernel_size: SizeArg = 1
    stride: SizeArg = 1
    groups: SizeArg = 1

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H', W'), where strided maps round up."""
        kernel_size, padding = self.kernel_size, self.kernel_size // 2
        conv = Conv2d(
            x.channels, self.out_dim, kernel_size, self.stride, padding, groups=self.groups
        )
        return b.layer("bn", BatchNorm2d(self.out_dim), b.layer("conv", conv, x))


class PointwiseNorm(Block):
    """1x1 convolution and batch norm, with the initial weights of a linear layer."""

    out_dim: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H, W)."""
        conv = Conv2d(x.channels, self.out_dim, 1, init="trunc_normal")
        return b.layer("bn", BatchNorm2d(self.out_dim), b.layer("conv", conv, x))


class ConvMlp(Block):
    """Inverted bottleneck on a map; with `mid_conv`, a depthwise 3x3 between its 1x1s."""

    hidden_dim: SizeArg
    act: Activations
    mid_conv: bool

    def class_name(self) -> str:
        """See `Block.class_name`."""
        return "LocalMlp" if self.mid_conv else "ConvMlp"

    def summary(self) -> str:
        """See `Block.summary`."""
        if self.mid_conv:
            return "Inverted bottleneck: 1x1 expand, depthwise 3x3, 1x1 project."
        return "Inverted bottleneck: 1x1 expand, 1x1 project."

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        dim, hidden = x.channels, self.hidden_dim
        act = Activation(self.act)
        x = b.layer("act", act, b.call("fc1", PointwiseNorm(out_dim=hidden), x), var="x")
        if self.mid_conv:
            mid = ConvNorm(out_dim=hidden, kernel_size=3, groups=hidden)
            x = b.layer("act", act, b.call("mid", mid, x), var="x")
        return b.call("fc2", PointwiseNorm(out_dim=dim), x)


class Mlp(Block):
    """Two linear layers on tokens with an activation between them."""

    layout = "tokens"
    hidden_dim: SizeArg
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(N, C) to (N, C)."""
        dim = x.channels
        x = b.layer("fc1", Linear(dim, self.hidden_dim), x)
        x = b.layer("act", Activation(self.act), x)
        return b.layer("fc2", Linear(self.hidden_dim, dim), x)


def residual(
    b: Builder,
    x: Value,
    branch: Value,
    number: int,
    layer_scale: RateArg | None,
    drop_path: RateArg | None,
) -> Value:
    """`x` plus a branch, which is scaled by `ls<number>` and dropped by `drop_path<number>`."""
    if layer_scale is not None:
        scale = LayerScale(x.channels, layer_scale, spatial=x.layout == "map")
        branch = b.layer(f"ls{number}", scale, branch)
    if drop_path is not None:
        branch = b.layer(f"drop_path{number}", DropPath(drop_path), branch)
    return b.apply(Add(), x, branch, var="x")
