"""Parameters and multiply-accumulates, per op.

Conventions: `params` are trainable parameters. `params_folded` leave out every batch-norm affine
and every layer scale, and count both heads of a distilled network: it is what the papers print
and MES uses. `macs` are the multiply-accumulates of convolutions, linears and matrix products,
without biases, at batch 1; torch's `FlopCounterMode` counts two operations for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

from efspec.plan import PlacedOp, Shape
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


@dataclass(frozen=True)
class Counts:
    """Parameters and multiply-accumulates."""

    params: int = 0
    params_folded: int = 0
    macs: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.params + other.params,
            self.params_folded + other.params_folded,
            self.macs + other.macs,
        )


def count(ops: Iterable[PlacedOp]) -> Counts:
    """The counts of ops together."""
    params = folded = total = 0
    for placed in ops:
        own = sum(math.prod(shape) for shape in placed.op.parameters().values())
        params += own
        folded += 0 if placed.op.parameters_fold else own
        total += macs(placed.op, placed.input_shapes, placed.output_shapes[0])
    return Counts(params, folded, total)


def macs(op: AnyOp, inputs: tuple[Shape, ...], output: Shape) -> int:
    """Multiply-accumulates of one op on one image."""
    match op:
        case Conv2d():
            _, *window = op.parameters()["weight"]
            return output.elements() * math.prod(window)
        case Linear():
            return output.elements() * op.in_features
        case MatMul():
            return output.elements() * inputs[0].sizes[-1]
        case (
            BatchNorm2d()
            | LayerNorm()
            | Activation()
            | AvgPool2d()
            | Upsample()
            | DropPath()
            | LayerScale()
            | AttentionBias()
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
