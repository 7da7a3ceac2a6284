"""V2's attention downsampling: a strided convolution beside attention with fewer queries."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.attention import (
    attend,
    check_attention_map,
    check_stride,
    local_values,
    split_heads,
    value_dim,
)
from efspec.blocks.layers import ConvNorm
from efspec.blocks.options import (
    AttentionRatio,
    DownsampleSpec,
    Heads,
    InheritedAct,
    KeyDim,
    resolve_act,
)
from efspec.plan import Block, BlockError, Builder, SizeArg, Value, trace
from efspec.plan.ops import Activation, Activations, Add, AvgPool2d, Conv2d, Unflatten


class AttentionDownsampleSpec(DownsampleSpec):
    """Dual path: the `conv` downsample, plus attention with local-global queries."""

    type: Literal["attention"] = "attention"
    num_heads: Heads = 8
    """Attention heads."""
    key_dim: KeyDim = 16
    """Channels of queries and keys, per head."""
    attn_ratio: AttentionRatio = 4.0
    """Channels of values over those of keys."""
    act: InheritedAct = "inherit"
    """Activation before the projection; by default that of `defaults`."""

    def block(self, width: int, act: Activations) -> Block:
        """The downsample to `width` channels, with the spec's default activation."""
        return AttentionDownsample(
            out_dim=width,
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=value_dim(self.key_dim, self.attn_ratio),
            act=resolve_act(self.act, act),
        )


class LocalGlobalQuery(Block):
    """Queries at half the size: a subsampled map plus a depthwise convolution of it."""

    out_dim: SizeArg

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / 2, W / 2), rounded up."""
        dim = x.channels
        local = b.layer("local", Conv2d(dim, dim, 3, stride=2, padding=1, groups=dim), x)
        pooled = b.layer("pool", AvgPool2d(1, stride=2), x)
        return b.call("proj", ConvNorm(out_dim=self.out_dim), b.apply(Add(), local, pooled))


class DownsampleAttention(Block):
    """Attention of queries at half the size to keys and values at full size."""

    out_dim: SizeArg
    num_heads: SizeArg = 8
    key_dim: SizeArg = 16
    value_dim: SizeArg = 64
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / 2, W / 2), rounded up."""
        height, width = x.space
        heads, key_dim, value_dim = self.num_heads, self.key_dim, self.value_dim
        check_attention_map(x, heads)
        q = b.call("q", LocalGlobalQuery(out_dim=heads * key_dim), x)
        k = b.call("k", ConvNorm(out_dim=heads * key_dim), x)
        v = b.call("v", ConvNorm(out_dim=heads * value_dim), x, var="v")
        local = local_values(b, v, 2)
        x = attend(
            b,
            split_heads(b, q, heads, key_dim, "q"),
            split_heads(b, k, heads, key_dim, "k"),
            split_heads(b, v, heads, value_dim, "v"),
            key_dim=key_dim,
            bias=(heads, height, width),
            query_stride=2,
        )
        x = b.apply(Unflatten(*local.space), x, var="x")
        x = b.apply(Add(), x, local)
        x = b.layer("act", Activation(self.act), x)
        return b.call("proj", ConvNorm(out_dim=self.out_dim), x)


class AttentionDownsample(Block):
    """Dual-path downsampling: a strided convolution plus attention with fewer queries.

    References:
        https://arxiv.org/abs/2212.08059
    """

    out_dim: SizeArg
    num_heads: SizeArg = 8
    key_dim: SizeArg = 16
    value_dim: SizeArg = 64
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (out_dim, H / 2, W / 2), rounded up."""
        attention = DownsampleAttention(
            out_dim=self.out_dim,
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=self.value_dim,
            act=self.act,
        )
        conv = ConvNorm(out_dim=self.out_dim, kernel_size=3, stride=2)
        try:
            check_stride(x, "type")
            attn = b.call("attn", attention, x, purpose="attention")
        except BlockError as error:  # its convolution says what the blocks behind it would get
            raise BlockError(error.mistakes, trace(conv, x.shape).outputs[0].shape) from None
        return b.apply(Add(), attn, b.call("conv", conv, x))
