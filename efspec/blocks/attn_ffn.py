"""The global block of EfficientFormer V2: attention on a map, then the unified FFN."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.attention import MapAttention, value_dim
from efspec.blocks.layers import ConvMlp, residual
from efspec.blocks.options import AttentionRatio, Flag, Heads, KeyDim, ResidualSpec, Site, Stride
from efspec.plan import Block, Builder, RateArg, SizeArg, Value
from efspec.plan.ops import Activations


class AttnFFNSpec(ResidualSpec):
    """V2's global block on maps: attention, then the unified FFN; a residual around each."""

    type: Literal["attn_ffn"] = "attn_ffn"
    stride: Stride = 1
    """2 attends on a map of half the size and upsamples the result (stride attention)."""
    kv_stride: Stride = 1
    """2 strides keys and values only, the alternative that V2 rejects."""
    num_heads: Heads = 8
    """Attention heads."""
    key_dim: KeyDim = 32
    """Channels of queries and keys, per head."""
    attn_ratio: AttentionRatio = 4.0
    """Channels of values over those of keys."""
    talking_heads: Flag = True
    """Whether the heads are mixed before and after the softmax."""
    local_v: Flag = True
    """Whether a depthwise 3x3 on the values is added to the result."""
    mid_conv: Flag = True
    """Whether the feed-forward part has its depthwise 3x3."""

    @field_validator("kv_stride")
    @classmethod
    def _one_stride(cls, value: int, info: ValidationInfo) -> int:
        if value > 1 and info.data.get("stride", 1) > 1:
            raise PydanticCustomError(
                "conflicting-options",
                "stride and kv_stride are both 2",
                {"expected": "one of them", "fix": "remove `kv_stride` or `stride`"},
            )
        return value

    def block(self, site: Site) -> Block:
        """See `BlockSpec.block`."""
        return AttnFFN(
            stride=self.stride,
            kv_stride=self.kv_stride,
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=value_dim(self.key_dim, self.attn_ratio),
            talking_heads=self.talking_heads,
            local_v=self.local_v,
            mid_conv=self.mid_conv,
            **self.common(site),
        )


class AttnFFN(Block):
    """Attention and a feed-forward part on a map, each with a residual.

    References:
        https://arxiv.org/abs/2212.08059
    """

    hidden_dim: SizeArg
    num_heads: SizeArg = 8
    key_dim: SizeArg = 32
    value_dim: SizeArg = 128
    layer_scale: RateArg | None = 1e-5
    drop_path: RateArg | None = None
    stride: int
    kv_stride: int
    talking_heads: bool
    local_v: bool
    mid_conv: bool
    act: Activations

    def class_name(self) -> str:
        """See `Block.class_name`."""
        kind = "Stride" if self.stride > 1 else "StridedKV" if self.kv_stride > 1 else ""
        return f"{kind}AttnFFN"

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        attention = MapAttention(
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=self.value_dim,
            stride=self.stride,
            kv_stride=self.kv_stride,
            talking_heads=self.talking_heads,
            local_v=self.local_v,
            act=self.act,
        )
        mlp = ConvMlp(hidden_dim=self.hidden_dim, act=self.act, mid_conv=self.mid_conv)
        y = b.call("token_mixer", attention, x, purpose="attention")
        x = residual(b, x, y, 1, self.layer_scale, self.drop_path)
        y = b.call("mlp", mlp, x, purpose="mlp")
        return residual(b, x, y, 2, self.layer_scale, self.drop_path)
