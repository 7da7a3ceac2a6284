"""Rules about attention on large maps."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.blocks.attn_ffn import AttnFFNSpec
from efspec.lint.rule import Match, Rule, entries, option
from efspec.plan import Plan, parts
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

CHEAP_QUERIES = 64
"""Attention of 49 queries is cheap, and of 196 dear; nobody published where it turns."""


def _attention(spec: NetworkSpec, plan: Plan) -> Iterator[tuple[Loc, str, AttnFFNSpec, int, int]]:
    """Entries with attention at full size on large maps: field, path, entry, queries, reduction."""
    shapes = {part.path: part.input for part in parts(plan)}
    for loc, stage, number, first in entries(spec):
        entry = stage.blocks[number]
        path = f"{'.'.join(map(str, loc[:3]))}.{first}"
        shape = shapes.get(path)
        if not isinstance(entry, AttnFFNSpec) or shape is None or shape.space is None:
            continue
        height, width = shape.space
        if entry.stride == 1 and height * width > CHEAP_QUERIES:
            yield loc, path, entry, height * width, spec.input.height_width[0] // height


def _wide(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    for loc, path, entry, queries, reduction in _attention(spec, plan):
        if entry.kv_stride == 1:
            message = (
                f"{entry.repeat} x attention of {queries} queries, at 1/{reduction} of the image"
            )
            yield Match(loc, path, message, (option((*loc, "stride"), "2"),))


def _strided_keys(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    for loc, path, entry, queries, reduction in _attention(spec, plan):
        if entry.kv_stride > 1:
            message = (
                f"{entry.repeat} x attention of {queries} queries, at 1/{reduction} of the image,"
                " with keys and values alone strided"
            )
            changes = (option((*loc, "kv_stride"), "1"), option((*loc, "stride"), "2"))
            yield Match(loc, path, message, changes)


WIDE_ATTENTION = Rule(
    "attention-on-large-maps",
    "published",
    "iPhone 12",
    "iOS 16",
    "attention at 1/16 takes 3.5 ms in a network that takes 1.3 ms without it, and 1.5 ms with"
    " stride attention (iOS 16)",
    "EfficientFormerV2, arXiv 2212.08059, table 1",
    "let attention work on a map half as large: `stride: 2`",
    _wide,
)
STRIDED_KEYS = Rule(
    "strided-keys",
    "published",
    "iPhone 12",
    "iOS 16",
    "with keys and values alone strided, a network with attention at 1/16 takes 2.8 ms, and with"
    " stride attention 1.5 ms (iOS 16)",
    "EfficientFormerV2, arXiv 2212.08059, text on stride attention",
    "stride queries, keys and values: `stride: 2`",
    _strided_keys,
)
