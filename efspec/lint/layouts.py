"""Rules about tokens: what they are normed with, and how often maps become tokens and back."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.options import BlockSpec
from efspec.lint.rule import Match, Rule, on_maps, option, placed_entries
from efspec.plan import Part, Plan, ops_by_part, parts
from efspec.plan.ops import LayerNorm, Linear, ToMap, ToTokens
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

ALLOWED = 1
"""How many conversions the published classifiers have at most; pyramids add one at their end."""


def _conversions(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    places = [op for op in plan.ops() if isinstance(op.op, ToTokens | ToMap)]
    allowed = ALLOWED + isinstance(spec.head, FeaturesHeadSpec)
    if len(places) <= allowed:
        return
    # The last blocks may work on tokens: one conversion leads to them.
    early = [one for one in _on_tokens(spec, plan) if _is_followed_by_maps(plan, one[2])]
    for loc, entry, part in early:
        message = f"tokens become a map again behind it: {len(places)} conversions in all"
        yield Match(loc, part.path, message, on_maps(spec, loc, entry, part))
    if not early:
        path = places[allowed].id.rpartition("/")[0]
        yield Match(("stages",), path, f"{len(places)} conversions between maps and tokens")


def _is_followed_by_maps(plan: Plan, part: Part) -> bool:
    order = parts(plan)
    behind = order[[one.path for one in order].index(part.path) + 1 :]
    return any(one.path.startswith("stages.") and one.input.layout == "map" for one in behind)


def _on_tokens(spec: NetworkSpec, plan: Plan) -> Iterator[tuple[Loc, BlockSpec, Part]]:
    """Every entry of blocks on tokens: its field, itself, and its first block."""
    return (one for one in placed_entries(spec, plan) if one[2].input.layout == "tokens")


def _layer_norms(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    ops = ops_by_part(plan)
    for loc, entry, part in _on_tokens(spec, plan):
        if {LayerNorm, Linear} <= {type(placed.op) for placed in ops[part.path]}:
            message = f"{entry.repeat} x layer norm and linear layers on tokens"
            yield Match(loc, part.path, message, on_maps(spec, loc, entry, part))


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
    "inference",
    "",
    "",
    "layer norms of tokens took 10 to 20 % of the latency of whole networks (iPhone 12, iOS 15);"
    " they do not fold into convolutions, and nobody published what they take on maps",
    "EfficientFormer, arXiv 2206.01191, observation 3",
    "use batch norms, which are free once they are folded",
    _normed_maps,
)
