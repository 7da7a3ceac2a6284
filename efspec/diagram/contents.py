"""What is in a block, seen from its ops alone."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import assert_never

from efspec.plan import AnyOp, Module, OpStep, PlacedOp, remembered, walk
from efspec.plan.ops import (
    Activation,
    Add,
    AttentionBias,
    AverageHeads,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    DropPath,
    Flatten,
    GlobalPool,
    LayerNorm,
    LayerScale,
    Linear,
    MatMul,
    MergeHeads,
    Scale,
    ScoreBias,
    Softmax,
    Split,
    SplitHeads,
    Subtract,
    ToMap,
    ToTokens,
    Transpose,
    Unflatten,
    Upsample,
)
from efspec.record import Record

ATTENTION = "attention"
MAX_REPEATED = 3
"""How often the same word may follow itself."""


class Attention(Record):
    """How many heads attend, from how many places to how many."""

    heads: int
    queries: int
    keys: int


class Contents(Record):
    """What is in a block.

    Attributes:
        words: Its ops that compute, in order, in a word each.
        attention: The first attention in it, if there is one.
        hidden: Channels inside its feed-forward part, or in all of it; None for no such thing.
        width: Channels that it takes.
        converts: Whether it changes the representation and does nothing else.
    """

    words: tuple[str, ...]
    attention: Attention | None
    hidden: int | None
    width: int = 1
    converts: bool = False


@remembered
def contents(module: Module) -> Contents:
    """What is in a block, and in all below it."""
    ops, _ = walk(module)
    takes, gives = module.inputs[0].shape, module.outputs[0].shape
    attention = _attention(ops)
    converts = all(placed.op.category == "reshape" for placed in ops)
    same = takes.space == gives.space and takes.channels == gives.channels
    return Contents(
        words=_words(ops, attention is not None),
        attention=attention,
        hidden=_hidden(ops, everywhere=same and not (attention or converts)),
        width=takes.channels,
        converts=converts,
    )


def head_words(steps: Iterable[OpStep]) -> tuple[str, ...]:
    """The ops of a head, in order, in a word each; its norms are worth one, too."""
    return _joined(word(step.op) or _norm_word(step.op) for step in steps)


def word(op: AnyOp) -> str:
    """An op in a diagram; nothing for those that shape, norm or sum what others compute."""
    match op:
        case Conv2d():
            depthwise = "dw " if 1 < op.groups == op.in_channels else ""
            return f"{depthwise}{op.kernel_size}×{op.kernel_size}{_stride(op.stride)}"
        case Linear():
            return "linear"
        case AvgPool2d(kernel_size=1):
            return f"subsample{_stride(op.stride)}"
        case AvgPool2d():
            return f"pool {op.kernel_size}×{op.kernel_size}{_stride(op.stride)}"
        case Upsample():
            return "upsample"
        case Softmax():
            return "softmax"
        case GlobalPool():
            return "global average"
        case AverageHeads():
            return "mean of both"
        case (
            BatchNorm2d()
            | LayerNorm()
            | Activation()
            | DropPath()
            | LayerScale()
            | AttentionBias()
            | ScoreBias()
            | Add()
            | Subtract()
            | Scale()
            | MatMul()
            | Transpose()
            | Flatten()
            | Unflatten()
            | SplitHeads()
            | MergeHeads()
            | Split()
            | ToTokens()
            | ToMap()
        ):
            return ""
        case _:
            assert_never(op)


def _stride(stride: int) -> str:
    return f" /{stride}" if stride > 1 else ""


def _norm_word(op: AnyOp) -> str:
    names = {"BatchNorm2d": "batch norm", "LayerNorm": "layer norm"}
    return names.get(type(op).__name__, "")


def _words(ops: tuple[PlacedOp, ...], attends: bool) -> tuple[str, ...]:
    """Words of a block's ops; all that attention consists of is one word."""
    found = []
    said = any(placed.purpose == "attention" for placed in ops)
    for placed in ops:
        inside = placed.purpose == "attention" if said else isinstance(placed.op, Softmax)
        found.append(ATTENTION if attends and inside else word(placed.op))
    return _joined(found)


def _joined(words: Iterable[str]) -> tuple[str, ...]:
    """Words that are there, with what is often repeated said once and counted."""
    found: list[str] = []
    for text, group in groupby(text for text in words if text):
        count = 1 if text == ATTENTION else len(list(group))
        found += [f"{count} times {text}"] if count > MAX_REPEATED else [text] * count
    return tuple(found)


def _attention(ops: tuple[PlacedOp, ...]) -> Attention | None:
    """The first attention: a softmax over (h, Nq, Nk), in company of matrix products."""
    if not any(isinstance(placed.op, MatMul) for placed in ops):
        return None
    for placed in ops:
        sizes = placed.input_shapes[0].sizes
        if isinstance(placed.op, Softmax) and len(sizes) > 1:
            heads = sizes[-3] if len(sizes) > 2 else 1
            return Attention(heads, sizes[-2], sizes[-1])
    return None


def _hidden(ops: tuple[PlacedOp, ...], *, everywhere: bool) -> int | None:
    """Hidden channels of the feed-forward part, or else of the block: the most between its layers.

    Depthwise convolutions are no such layers, having as many channels on both sides.
    """
    own = [placed for placed in ops if placed.purpose == "mlp"]
    if not own and not everywhere:
        return None
    layers = [placed.op for placed in own or ops]
    given = [
        op.out_features if isinstance(op, Linear) else op.out_channels
        for op in layers
        if isinstance(op, Linear) or (isinstance(op, Conv2d) and op.groups == 1)
    ]
    return max(given[:-1] or given, default=None)
