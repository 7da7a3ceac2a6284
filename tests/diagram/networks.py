"""Networks that are hard to draw, and blocks that nobody has heard of."""

from __future__ import annotations

from typing import Any

import efspec
from efspec.blocks.conv_downsample import Downsample
from efspec.blocks.conv_stem import ConvStemSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.network import Chain, Network, Stage
from efspec.plan import Block, Builder, Plan, Value, map_shape, trace
from efspec.plan.ops import Add, Conv2d, Linear, MatMul, MergeHeads, Softmax, SplitHeads, Transpose
from efspec.resources import shipped_specs

MARKUP = "</text><script>alert(1)</script> & \"quotes\" 'x' ]]> #quot; `code` --> {{x}} 中文 😀"
TYPES = ("ffn", "attn_ffn", "mb4d", "mb3d")


def network(name: str, **fields: Any) -> Plan:
    common: dict[str, Any] = {
        "efspec": 1,
        "name": name,
        "input": {"size": 64},
        "stem": {"type": "conv_stem", "width": 8},
        "head": {"type": "linear", "classes": 10},
    }
    return efspec.resolve(efspec.load(common | fields))


def stage(width: int, *blocks: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"width": width, **options, "blocks": list(blocks)}


def strange() -> dict[str, Plan]:
    conv = {"downsample": {"type": "conv"}}
    attention = {"downsample": {"type": "attention", "num_heads": 1, "key_dim": 1}}
    pyramid = {"type": "features", "stages": [0, 1, 3], "norm": "layer"}
    ratios = [1 + i * 7 % 13 / 4 for i in range(200)]
    return {
        "one stage": network("one", stages=[stage(8, {"type": "mb3d", "repeat": 12})]),
        "twelve stages": network(
            "twelve",
            input={"size": [512, 768]},
            stages=[
                stage(
                    8 * (i + 1),
                    {"type": "ffn", "repeat": 2, "expansion_ratio": [1.7, i + 1]},
                    *([{"type": TYPES[i % 4]}] if i > 4 else []),
                    **(conv if i else {}),
                )
                for i in range(12)
            ],
        ),
        "long names": network(
            "W" * 64,
            description="W" * 500,
            input={"size": [96, 1024]},
            stages=[stage(8, {"type": "ffn"})],
            head={"type": "linear", "classes": 1_000_000},
        ),
        "many repeats": network(
            "repeats",
            description=MARKUP,
            stages=[
                stage(8, {"type": "ffn", "repeat": 200, "expansion_ratio": ratios}),
                stage(
                    65536,
                    {"type": "mb4d", "expansion_ratio": 0.01, "repeat": 21},
                    {"type": "mb4d", "expansion_ratio": 0.01, "mixer": "dwconv"},
                    **attention,
                ),
            ],
        ),
        "types in turn": network(
            "mixed", stages=[stage(8, *[{"type": TYPES[i * 3 % 4]} for i in range(20)])]
        ),
        "pyramid": efspec.resolve(efspec.load("v1_l1", set=[f"head={pyramid}"])),
        "bare pyramid": efspec.resolve(
            efspec.load("v2_s0", set=["head={type: features, stages: [1, 2]}", "input.size=97"])
        ),
        "unknown blocks": unknown(),
    }


def all_networks() -> dict[str, Plan]:
    shipped = {name: efspec.resolve(efspec.load(name)) for name in shipped_specs()}
    return shipped | strange()


class GatedThing(Block):
    """Attention of a kind of its own <b>&amp;</b>, with a `key`.

    It says of no part what that is for.
    """

    layout = "tokens"

    def forward(self, b: Builder, x: Value) -> Value:
        """(N, C) to (N, C)."""
        heads = b.apply(SplitHeads(1, x.channels), b.apply(Transpose(), x))
        scores = b.apply(MatMul(), b.apply(Transpose(), heads), heads)
        mixed = b.apply(MatMul(), heads, b.apply(Transpose(), b.apply(Softmax(), scores)))
        return b.apply(Add(), x, b.apply(Transpose(), b.apply(MergeHeads(), mixed)))

    def class_name(self) -> str:
        return 'Gated<Thing>"With]A`Name' + "That Goes On" * 20


class Wide(Block):
    """Widens and narrows."""

    ratio: int

    def forward(self, b: Builder, x: Value) -> Value:
        """(C, H, W) to (C, H, W)."""
        dim = x.channels
        x = b.layer("in", Conv2d(dim, dim * self.ratio, 5, 1, 2), x)
        return b.layer("out", Conv2d(dim * self.ratio, dim, 1), x)


class Shrink(Block):
    """Halves the map inside a stage, and makes tokens wider."""

    layout = "tokens"

    def forward(self, b: Builder, x: Value) -> Value:
        """(N, C) to (N, 2 * C)."""
        return b.layer("wider", Linear(x.channels, x.channels * 2), x)


def unknown() -> Plan:
    """A network of blocks which are not among those that are shipped."""
    items = (Wide(ratio=3), Wide(ratio=3), GatedThing(), Shrink(), Downsample(out_dim=24))
    block = Network(
        stem=ConvStemSpec(width=8).block("relu"),
        stages=(Stage(downsample=None, blocks=Chain(items=items)),),
        head=LinearHeadSpec(classes=10).head(),
        num_classes=10,
        drop_path=None,
    )
    return Plan("unknown", MARKUP, "0" * 64, trace(block, map_shape(3, 64, 48)))
