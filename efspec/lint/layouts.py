"""Rules about tokens: what they are normed with, and how often maps become tokens and back."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.mb3d import MB3DSpec
from efspec.lint.rule import Match, Rule, entries, option
from efspec.plan import Plan
from efspec.plan.ops import ToMap, ToTokens
from efspec.spec.schema import NetworkSpec

ALLOWED = 1
"""How many conversions the published networks have at most."""


def _conversions(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    places = [op for op in plan.ops() if isinstance(op.op, ToTokens | ToMap)]
    if len(places) <= ALLOWED or isinstance(spec.head, FeaturesHeadSpec):
        return
    for placed in places[ALLOWED:]:
        path = placed.id.rpartition("/")[0] or placed.id
        parts = path.split(".")
        loc = ("stages", int(parts[1])) if parts[0] == "stages" and parts[1].isdecimal() else ()
        what = "tokens become a map" if isinstance(placed.op, ToMap) else "a map becomes tokens"
        yield Match(loc or ("stages",), path, f"{what} here, after one conversion before")


def _layer_norms(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    for loc, stage, number, first in entries(spec):
        entry = stage.blocks[number]
        if not isinstance(entry, MB3DSpec):
            continue
        message = f"{entry.repeat} x layer norm and linear layers on tokens"
        path = f"{'.'.join(map(str, loc[:3]))}.{first}"
        # Its options are among those of `attn_ffn`.
        yield Match(loc, path, message, (option((*loc, "type"), "attn_ffn"),))


def _normed_maps(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    if isinstance(spec.head, FeaturesHeadSpec) and spec.head.norm == "layer":
        message = "a layer norm over the channels of maps"
        yield Match(("head", "norm"), "head", message, (option(("head", "norm"), "batch"),))


CONVERSIONS = Rule(
    "conversions",
    "published",
    "iPhone 12",
    "iOS 15",
    "frequent reshapes between maps and tokens are LeViT-256's bottleneck; DeiT-S, which has none"
    " and computes more, is as fast",
    "EfficientFormer, arXiv 2206.01191, observation 2; its milliseconds are not published",
    "keep all blocks on tokens together at the end, or use `attn_ffn`, which works on maps",
    _conversions,
)
LAYER_NORMS = Rule(
    "layer-norm",
    "published",
    "iPhone 12",
    "iOS 15",
    "layer norms took 10 to 20 % of the latency of whole networks; a batch norm folds into its"
    " convolution and costs nothing",
    "EfficientFormer, arXiv 2206.01191, observation 3",
    "use attention on maps with batch norms, as EfficientFormerV2 does: `attn_ffn`",
    _layer_norms,
)
NORMED_MAPS = Rule(
    "layer-norm-on-maps",
    "elsewhere",
    "iPhone",
    "",
    "users report that norms of their own on maps kept networks off the Neural Engine",
    "TinyBeauty, issue 12",
    "use batch norms, which are free once they are folded",
    _normed_maps,
)
