"""What a part of a network asks of a device: whole numbers, which add up over parts.

They are those of the network as it is deployed, and are counted without deploying it: batch norms,
layer scales and drop path are gone, pointwise ops ride on what makes their input, two heads are
one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, assert_never

from efspec.cost import bytes_of
from efspec.cost.counts import macs
from efspec.plan import CallStep, Module, OpStep, Part, Plan, Shape, Value, head_steps, remembered
from efspec.plan.module import Step, snake_case
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

WIDE_QUERIES = 64
"""Queries up to which attention is cheap: 49 are, at 1/32 of 224 pixels, and 196 are not."""


class Features(NamedTuple):
    """What is counted.

    An op's roofline is the larger of the bytes that it moves and of its multiply-accumulates over
    those that a device does in the time of a byte: while it waits for the one, it does the other.

    Attributes:
        roofline: Bytes, summed over ops.
        weights: Bytes of parameters.
        activations: Bytes that ops read and write, in half precision.
        macs: Multiply-accumulates, all of them.
        dense: Those of convolutions of a window over all channels.
        pointwise: Those of 1x1 convolutions and linear layers.
        depthwise: Those of convolutions in groups.
        matmul: Those of matrix products.
        softmax: Elements of attention matrices.
        wide_heads: Attention heads of more than `WIDE_QUERIES` queries.
        ops: Ops that run on their own.
        reshapes: Ops that move numbers and change none; transposes go into matrix products.
    """

    roofline: int = 0
    weights: int = 0
    activations: int = 0
    macs: int = 0
    dense: int = 0
    pointwise: int = 0
    depthwise: int = 0
    matmul: int = 0
    softmax: int = 0
    wide_heads: int = 0
    ops: int = 0
    reshapes: int = 0


def part_features(plan: Plan, part: Part, macs_per_byte: int) -> Features:
    """The features of a part of a network, deployed or not.

    Args:
        plan: The network.
        part: One of its parts.
        macs_per_byte: How many multiply-accumulates take as long as moving a byte.
    """
    if part.module:
        return module_features(part.module, macs_per_byte)
    return _of_steps(head_steps(plan), macs_per_byte)


@remembered
def module_features(module: Module, macs_per_byte: int) -> Features:
    """The features of a module and all below it; what equal blocks share is counted once."""
    return _of_steps(module.steps, macs_per_byte)


def part_kinds(plan: Plan, part: Part) -> frozenset[str]:
    """The kinds of ops in a part that cost something, or whose cost has to be known."""
    return module_kinds(part.module) if part.module else _kinds_of_steps(head_steps(plan))


@remembered
def module_kinds(module: Module) -> frozenset[str]:
    """The kinds of ops of a module and all below it."""
    return _kinds_of_steps(module.steps)


def total(features: Iterable[Features]) -> Features:
    """The sum of features."""
    return Features(*map(sum, zip(Features(), *features, strict=True)))


def op_features(
    op: AnyOp, inputs: tuple[Shape, ...], output: Shape, macs_per_byte: int
) -> Features:
    """The features of one op on one image."""
    match op:
        case Conv2d() | Linear() | MatMul():
            work = macs(op, inputs, output)
            return _counted(op, inputs, output, work, macs_per_byte)._replace(
                **{_compute_class(op): work}
            )
        case Softmax():
            heads, queries, _ = output.sizes
            return _counted(op, inputs, output, 0, macs_per_byte)._replace(
                softmax=output.elements(), wide_heads=heads if queries > WIDE_QUERIES else 0
            )
        case LayerNorm() | GlobalPool() | AttentionBias() | ScoreBias() | Add() | Subtract():
            return _counted(op, inputs, output, 0, macs_per_byte)
        case AvgPool2d():
            alone = op.kernel_size > 1  # or else it picks pixels, as a convolution can
            return _counted(op, inputs, output, 0, macs_per_byte) if alone else Features()
        case Upsample():
            alone = inputs[0].sizes != output.sizes
            return _counted(op, inputs, output, 0, macs_per_byte) if alone else Features()
        case Flatten() | Unflatten() | SplitHeads() | MergeHeads() | Split() | ToTokens() | ToMap():
            return Features(reshapes=1)
        case (
            Activation()
            | BatchNorm2d()
            | LayerScale()
            | DropPath()
            | Scale()
            | Transpose()
            | AverageHeads()
        ):
            return Features()
        case _:
            assert_never(op)


def _counted(
    op: AnyOp, inputs: tuple[Shape, ...], output: Shape, work: int, macs_per_byte: int
) -> Features:
    """The features of an op that runs on its own."""
    weights = bytes_of(_parameters(op, output))
    moved = bytes_of(sum(shape.elements() for shape in inputs) + output.elements())
    return Features(
        roofline=max(weights + moved, work // macs_per_byte),
        weights=weights,
        activations=moved,
        macs=work,
        ops=1,
    )


def _parameters(op: AnyOp, output: Shape) -> int:
    """Numbers that a deployed op holds; biases of attention are looked up in advance."""
    if isinstance(op, AttentionBias):
        return output.elements()
    return sum(map(math.prod, op.parameters().values()))


def _compute_class(op: Conv2d | Linear | MatMul) -> str:
    if isinstance(op, MatMul):
        return "matmul"
    if isinstance(op, Linear) or (op.kernel_size == 1 and op.groups == 1):
        return "pointwise"
    return "depthwise" if op.groups > 1 else "dense"


def op_kind(op: AnyOp) -> str:
    """What an op is to a device: its name, with what is known to change its speed by multiples."""
    if isinstance(op, Conv2d | AvgPool2d):
        name = "pool" if isinstance(op, AvgPool2d) else "depthwise" if op.groups > 1 else "conv"
        return f"{name} {op.kernel_size}x{op.kernel_size}"
    if isinstance(op, Activation):
        return op.function
    return "attention_bias" if isinstance(op, ScoreBias) else snake_case(type(op).__name__)


def _of_steps(steps: Iterable[Step], macs_per_byte: int) -> Features:
    return total(
        module_features(step.module, macs_per_byte)
        if isinstance(step, CallStep)
        else op_features(
            step.op, tuple(v.shape for v in step.inputs), step.outputs[0].shape, macs_per_byte
        )
        for step in _remaining(steps)
    )


def _kinds_of_steps(steps: Iterable[Step]) -> frozenset[str]:
    found: set[str] = set()
    for step in _remaining(steps):
        if isinstance(step, CallStep):
            found |= module_kinds(step.module)
        elif not isinstance(step.op, _WITHOUT_COST):
            found.add(op_kind(step.op))
    return frozenset(found)


_WITHOUT_COST = (BatchNorm2d, LayerScale, DropPath, Scale, Transpose, AverageHeads)
"""What deployment takes away or makes a part of something else."""


def _remaining(steps: Iterable[Step]) -> list[Step]:
    """The steps less those that deployment makes a part of others.

    The second of two heads goes into the first. Subsampling becomes a tap of the convolution that
    it is added to, and the sum goes with it.
    """
    steps = list(steps)
    ops = [step for step in steps if isinstance(step, OpStep)]
    second_heads = {step.inputs[1] for step in ops if isinstance(step.op, AverageHeads)}
    picked: set[Value] = {
        step.outputs[0]
        for step in ops
        if isinstance(step.op, AvgPool2d) and step.op.kernel_size == 1
    }
    return [
        step
        for step in steps
        if not second_heads.intersection(step.outputs)
        and not picked.intersection(step.outputs)
        and not (
            isinstance(step, OpStep)
            and isinstance(step.op, Add)
            and picked.intersection(step.inputs)
        )
    ]
