"""MB3D, the transformer block of EfficientFormer V1."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.attention import attend, check_attention_map, value_dim
from efspec.blocks.layers import Mlp, residual
from efspec.blocks.options import AttentionRatio, Heads, KeyDim, ResidualSpec, Site
from efspec.plan import Block, Builder, RateArg, SizeArg, Value
from efspec.plan.ops import Activations, LayerNorm, Linear, Split, SplitHeads, Transpose


class MB3DSpec(ResidualSpec):
    """V1's block on tokens: attention with a learned bias, then an MLP, each after a LN."""

    type: Literal["mb3d"] = "mb3d"
    num_heads: Heads = 8
    """Attention heads."""
    key_dim: KeyDim = 32
    """Channels of queries and keys, per head."""
    attn_ratio: AttentionRatio = 4.0
    """Channels of values over those of keys."""

    def block(self, site: Site) -> Block:
        """See `BlockSpec.block`."""
        return MB3D(
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=value_dim(self.key_dim, self.attn_ratio),
            **self.common(site),
        )


class TokenAttention(Block):
    """Multi-head self-attention over tokens, with a bias per offset on their map."""

    layout = "tokens"

    num_heads: SizeArg = 8
    key_dim: SizeArg = 32
    value_dim: SizeArg = 128

    def forward(self, b: Builder, x: Value) -> Value:
        """(N, C) to (N, C)."""
        height, width = x.space
        dim, heads, key_dim, value_dim = x.channels, self.num_heads, self.key_dim, self.value_dim
        check_attention_map(x, heads)
        head_dim = key_dim * 2 + value_dim
        qkv = b.apply(Transpose(), b.layer("qkv", Linear(dim, heads * head_dim), x))
        qkv = b.apply(SplitHeads(heads, head_dim), qkv, var="qkv")
        q, k, v = b.split(Split((key_dim, key_dim, value_dim)), qkv, "q", "k", "v")
        x = attend(b, q, k, v, key_dim=key_dim, bias=(heads, height, width))
        return b.layer("proj", Linear(heads * value_dim, dim), b.apply(Transpose(), x))


class MB3D(Block):
    """EfficientFormer's 3D block: attention and MLP on tokens, each with a residual.

    References:
        https://arxiv.org/abs/2206.01191
    """

    layout = "tokens"

    hidden_dim: SizeArg
    num_heads: SizeArg = 8
    key_dim: SizeArg = 32
    value_dim: SizeArg = 128
    layer_scale: RateArg | None = 1e-5
    drop_path: RateArg | None = None
    act: Activations

    def forward(self, b: Builder, x: Value) -> Value:
        """(N, C) to (N, C)."""
        attention = TokenAttention(
            num_heads=self.num_heads, key_dim=self.key_dim, value_dim=self.value_dim
        )
        mlp = Mlp(hidden_dim=self.hidden_dim, act=self.act)
        y = b.layer("norm1", LayerNorm(x.channels), x)
        y = b.call("token_mixer", attention, y, purpose="attention")
        x = residual(b, x, y, 1, self.layer_scale, self.drop_path)
        y = b.call("mlp", mlp, b.layer("norm2", LayerNorm(x.channels), x), purpose="mlp")
        return residual(b, x, y, 2, self.layer_scale, self.drop_path)
