"""Rules about attention on large maps.

How many queries attend to how many keys is read from the plan, from what softmaxes take, so that
the types of blocks need not be known; they are where it is mended.
"""

from __future__ import annotations

from collections.abc import Iterator

from efspec.blocks.attn_ffn import AttnFFNSpec
from efspec.blocks.options import BlockSpec
from efspec.lint.rule import Match, Rule, is_wide, on_maps, option, placed_entries, reduction
from efspec.plan import Part, Plan, ops_by_part
from efspec.plan.ops import Softmax
from efspec.record import Record
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc


class _Attention(Record):
    """An entry whose blocks attend from every place of a large map.

    Attributes:
        loc: Its field.
        path: Module path of its first block.
        message: What is there.
        has_strided_keys: Whether there are fewer keys than queries.
        changes: What makes it stride attention; empty if its type is not known.
    """

    loc: Loc
    path: str
    message: str
    has_strided_keys: bool
    changes: tuple[str, ...]


def _attention(spec: NetworkSpec, plan: Plan) -> Iterator[_Attention]:
    ops = ops_by_part(plan)
    for loc, entry, part in placed_entries(spec, plan):
        height, width = part.input.space or (0, 0)
        scores = [o.input_shapes[0].sizes for o in ops[part.path] if isinstance(o.op, Softmax)]
        for *_, queries, keys in scores if is_wide(spec, part) else ():
            if queries == height * width:
                scale = reduction(spec, part)
                message = (
                    f"{entry.repeat} x attention of {queries} queries, at 1/{scale} of the image"
                )
                changes = _with_stride(spec, loc, entry, part)
                yield _Attention(loc, part.path, message, keys < queries, changes)
                break


def _with_stride(spec: NetworkSpec, loc: Loc, entry: BlockSpec, part: Part) -> tuple[str, ...]:
    if not isinstance(entry, AttnFFNSpec):
        return on_maps(spec, loc, entry, part)
    same_keys = (option((*loc, "kv_stride"), "1"),) if entry.kv_stride > 1 else ()
    return (*same_keys, option((*loc, "stride"), "2"))


def _wide(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    for one in _attention(spec, plan):
        if not one.has_strided_keys:
            yield Match(one.loc, one.path, one.message, one.changes)


def _strided_keys(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    for one in _attention(spec, plan):
        if one.has_strided_keys:
            message = f"{one.message}, with keys and values alone strided"
            yield Match(one.loc, one.path, message, one.changes)


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
