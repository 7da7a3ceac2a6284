"""Attention over maps, and what all attention has in common."""

from __future__ import annotations

from efspec.blocks.layers import ConvNorm
from efspec.plan import Block, Builder, SizeArg, Value, mistake, plain
from efspec.plan.ops import (
    Activation,
    Activations,
    Add,
    AttentionBias,
    Conv2d,
    Flatten,
    MatMul,
    MergeHeads,
    Scale,
    Softmax,
    SplitHeads,
    Transpose,
    Unflatten,
    Upsample,
)

MAX_ATTENTION_ELEMENTS = 2**28
"""Largest attention matrix over all heads, in elements: half a gibibyte in half precision."""


class MapAttention(Block):
    """Multi-head self-attention over a feature map.

    With `stride` 2 it runs on a map of half the size and is upsampled afterwards (stride
    attention); with `kv_stride` 2 only keys and values are strided.

    References:
        https://arxiv.org/abs/2212.08059
    """

    num_heads: SizeArg = 8
    key_dim: SizeArg = 32
    value_dim: SizeArg = 128
    stride: int
    kv_stride: int
    talking_heads: bool
    local_v: bool
    act: Activations

    def class_name(self) -> str:
        """See `Block.class_name`."""
        kind = "Stride" if self.stride > 1 else "StridedKV" if self.kv_stride > 1 else "Map"
        return f"{kind}Attention"

    def summary(self) -> str:
        """See `Block.summary`."""
        kind = "Multi-head self-attention over a feature map"
        if self.stride > 1:
            kind = "Self-attention over a strided copy of a feature map, upsampled to its size"
        elif self.kv_stride > 1:
            kind = "Self-attention over a feature map, with keys and values of a strided copy"
        extras = ["talking heads"] * self.talking_heads + [
            "a local path from values"
        ] * self.local_v
        return kind + (f".\n\nIt has {' and '.join(extras)}." if extras else ".")

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        full, dim = x.space, x.channels
        heads, key_dim, value_dim = self.num_heads, self.key_dim, self.value_dim
        halve = ConvNorm(out_dim=dim, kernel_size=3, stride=2, groups=dim)
        if self.stride > 1:
            check_stride(x, "stride")
            x = b.call("stride_conv", halve, x, var="x")
        height, width = x.space
        check_attention_map(x, heads, self.kv_stride)

        source = x
        if self.kv_stride > 1:
            check_stride(x, "kv_stride")
            source = b.call("kv_conv", halve, x, var="kv")
        q = b.call("q", ConvNorm(out_dim=heads * key_dim), x)
        k = b.call("k", ConvNorm(out_dim=heads * key_dim), source)
        v = b.call("v", ConvNorm(out_dim=heads * value_dim), source, var="v")
        local = local_values(b, v, 1) if self.local_v else None
        if local and self.kv_stride > 1:
            local = b.layer("upsample", Upsample(height, width), local, var="v_local")

        x = attend(
            b,
            split_heads(b, q, heads, key_dim, "q"),
            split_heads(b, k, heads, key_dim, "k"),
            split_heads(b, v, heads, value_dim, "v"),
            key_dim=key_dim,
            bias=(heads, height, width),
            key_stride=self.kv_stride,
            talking_heads=self.talking_heads,
        )
        x = b.apply(Unflatten(height, width), x, var="x")
        if local:
            x = b.apply(Add(), x, local, var="x")
        if self.stride > 1:
            x = b.layer("upsample", Upsample(*full), x, var="x")
        return b.call("proj", ConvNorm(out_dim=dim), b.layer("act", Activation(self.act), x))


def attend(
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    *,
    key_dim: int,
    bias: tuple[int, int, int],
    query_stride: int = 1,
    key_stride: int = 1,
    talking_heads: bool = False,
) -> Value:
    """Attention of split heads: q (h, d, Nq), k (h, d, Nk), v (h, dv, Nk) to (h * dv, Nq).

    Args:
        b: The builder of the block that attends.
        q: Queries.
        k: Keys.
        v: Values.
        key_dim: d; the logits are scaled by `key_dim ** -0.5`.
        bias: h, and the height and width of the map on which offsets are measured.
        query_stride: Step of the queries on that map.
        key_stride: Step of the keys on that map.
        talking_heads: Whether the heads are mixed before and after the softmax.

    References:
        Talking heads: https://arxiv.org/abs/2003.02436
    """
    heads, height, width = bias
    attn = b.apply(Scale(key_dim), b.apply(MatMul(), b.apply(Transpose(), q), k), var="attn")
    table = AttentionBias(heads, height, width, query_stride, key_stride)
    attn = b.apply(table, attn, var="attn")
    if talking_heads:
        attn = b.layer("talking_head1", Conv2d(heads, heads, 1), attn, var="attn")
    attn = b.apply(Softmax(), attn, var="attn")
    if talking_heads:
        attn = b.layer("talking_head2", Conv2d(heads, heads, 1), attn, var="attn")
    x = b.apply(MatMul(), v, b.apply(Transpose(), attn), var="x")
    return b.apply(MergeHeads(), x)


def split_heads(b: Builder, x: Value, num_heads: int, head_dim: int, var: str) -> Value:
    """A map (h * d, H, W) as heads (h, d, N), kept in the variable `var`."""
    return b.apply(SplitHeads(num_heads, head_dim), b.apply(Flatten(), x), var=var)


def local_values(b: Builder, v: Value, stride: int) -> Value:
    """The local path `v_local`: a depthwise 3x3 on the values, as a map."""
    dim = v.channels
    block = ConvNorm(out_dim=dim, kernel_size=3, stride=stride, groups=dim)
    return b.call("v_local", block, v, var="v_local")


def value_dim(key_dim: int, attn_ratio: float) -> int:
    """Channels of the values per head, `int(attn_ratio * key_dim)` as published.

    Raises:
        BlockError: When that is none.
    """
    channels = int(attn_ratio * key_dim)
    if channels < 1:
        raise mistake(
            "no-channels",
            f"{attn_ratio:g} times key_dim {key_dim} leaves no value channel",
            field="attn_ratio",
            expected=f"a ratio of at least {1 / key_dim:g}",
            fix="raise attn_ratio or key_dim",
        )
    return channels


def check_stride(x: Value, option: str) -> None:
    """Refuse to stride a map of one pixel.

    Raises:
        BlockError: When the map is 1x1; its field is `option`.
    """
    _, height, width = x.shape.sizes
    if height == width == 1:
        raise mistake(
            "attention-too-small",
            "attention with a stride on a map of 1x1",
            field=option,
            expected="a map of at least two pixels",
            fix="use a larger input, or attention without a stride here",
        )


def check_attention_map(x: Value, num_heads: int, key_stride: int = 1) -> None:
    """Refuse attention matrices that no device can hold.

    Raises:
        BlockError: When all heads together pass `MAX_ATTENTION_ELEMENTS`.
    """
    height, width = map(plain, x.space)
    keys = -(-height // key_stride) * -(-width // key_stride)
    elements = plain(num_heads) * height * width * keys
    if elements > MAX_ATTENTION_ELEMENTS:
        raise mistake(
            "attention-too-large",
            f"{plain(num_heads)} heads over a map of {height}x{width} are {elements:,} weights",
            expected=f"at most {MAX_ATTENTION_ELEMENTS:,}",
            fix="use a smaller input, put attention in a later stage, or stride it",
        )
