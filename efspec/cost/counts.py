"""Parameters and multiply-accumulates, per op.

Conventions: `params` are trainable parameters. `params_folded` leave out every batch-norm affine
and every layer scale, and count both heads of a distilled network: it is what the papers print
and MES uses. `macs` are the multiply-accumulates of convolutions, linears and matrix products,
without biases, at batch 1; torch's `FlopCounterMode` counts two operations for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple, assert_never, get_args

from efspec.plan import CallStep, Module, PlacedOp, Shape, remembered
from efspec.plan.ops import (
    Activation,
    Add,
    AnyOp,
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

Kind = Literal[
    "embedding", "attention", "mlp", "reshape", "norm", "activation", "residual", "head", "other"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The first six are those of V1's latency analysis (https://arxiv.org/abs/2206.01191, Figure 2).

Pooling counts as attention, being a token mixer. `residual` is sums, layer scales and drop path;
`head` is the global average and the classifiers; `other` is blocks that do not say what they do.
"""


class Counts(NamedTuple):
    """Parameters and multiply-accumulates."""

    params: int = 0
    params_folded: int = 0
    macs: int = 0


@remembered
def count_module(module: Module) -> Counts:
    """The counts of a module and all below it; what equal blocks share is counted once."""
    return total(
        count_module(step.module)
        if isinstance(step, CallStep)
        else count_op(step.op, tuple(v.shape for v in step.inputs), step.outputs[0].shape)
        for step in module.steps
    )


def count_op(op: AnyOp, inputs: tuple[Shape, ...], output: Shape) -> Counts:
    """The counts of one op on one image."""
    params = sum(map(math.prod, op.parameters().values()))
    return Counts(params, 0 if op.parameters_fold else params, macs(op, inputs, output))


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    return Counts(*map(sum, zip(*counts, strict=True)))


def macs(op: AnyOp, inputs: tuple[Shape, ...], output: Shape) -> int:
    """Multiply-accumulates of one op on one image."""
    match op:
        case Conv2d():
            _, *window = op.parameters()["weight"]
            return output.elements() * math.prod(window)
        case Linear():
            return output.elements() * op.in_features
        case MatMul():
            return output.elements() * op.rows_and_inner(inputs[0].sizes)[1]
        case (
            BatchNorm2d()
            | LayerNorm()
            | Activation()
            | AvgPool2d()
            | Upsample()
            | DropPath()
            | LayerScale()
            | AttentionBias()
            | ScoreBias()
            | Add()
            | Subtract()
            | Scale()
            | Softmax()
            | Transpose()
            | Flatten()
            | Unflatten()
            | SplitHeads()
            | MergeHeads()
            | Split()
            | ToTokens()
            | ToMap()
            | GlobalPool()
            | AverageHeads()
        ):
            return 0
        case _:
            assert_never(op)


def kind_of(placed: PlacedOp) -> Kind:
    """What an op counts as: what it is, or else what its module computes for."""
    category = placed.op.category
    return (placed.purpose or "other") if category == "compute" else category
