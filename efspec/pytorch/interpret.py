"""Running a plan op by op over a state dict: no classes, no source.

It is the oracle that tests generated code, and what a supernet runs its sub-networks with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, assert_never

import torch
import torch.nn.functional as F  # noqa: N812  the name that everyone knows it by
from torch import Tensor

from efspec.deploy import relative_offsets
from efspec.plan import AnyOp, PlacedOp, Plan
from efspec.plan.ops import (
    Activation,
    Activations,
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

Observe = Callable[[PlacedOp, tuple[Tensor, ...]], None]

Mode = Literal["infer", "train", "calibrate"]
"""What a run is for.

`train` is what a built module does in training mode. `calibrate` computes what `infer` does with
statistics of the batch at hand, and makes those in the state the mean over all batches so far.
"""
MOMENTUM = 0.1
"""How far training moves the statistics of batch norm: PyTorch's default, as in built modules."""
MAX_TABLES = 256
"""How many tables of offsets are kept."""


def interpret(
    plan: Plan,
    state: Mapping[str, Tensor],
    x: Tensor,
    observe: Observe | None = None,
    mode: Mode = "infer",
) -> tuple[Tensor, ...]:
    """The outputs of a plan for images x (B, C, H, W) and the weights in `state`.

    Args:
        plan: The network.
        state: Tensors by their names in the state dict; statistics of batch norms are updated in
            place unless the mode is `infer`.
        x: Images, of the plan's input size.
        observe: Called with each op and what it gave.
        mode: What the run is for. In training, a distilled head gives both of its logits.

    Raises:
        KeyError: When a tensor is missing.
        ValueError: When an op gives another shape than the plan says.
    """
    ops, wanted = in_training(plan) if mode == "train" else (plan.ops(), plan.outputs())
    return execute(ops, wanted, state, {0: x}, observe, mode)


def in_training(plan: Plan) -> tuple[Sequence[PlacedOp], Sequence[int]]:
    """What a network runs in training, and numbers of what it gives: two heads stay two."""
    *ops, last = plan.ops()
    if isinstance(last.op, AverageHeads):
        return ops, last.inputs
    return plan.ops(), plan.outputs()


def execute(
    ops: Sequence[PlacedOp],
    wanted: Sequence[int],
    state: Mapping[str, Tensor],
    values: dict[int, Tensor],
    observe: Observe | None = None,
    mode: Mode = "infer",
) -> tuple[Tensor, ...]:
    """The values of some numbers, after a part of a network has run.

    Args:
        ops: The part's ops, in order.
        wanted: Numbers of the values to give.
        state: As `interpret` takes it.
        values: What the part reads, by number; takes what it makes, and loses what no op of it
            reads again.
        observe: As `interpret` takes it.
        mode: As `interpret` takes it.

    Raises:
        KeyError: When a tensor is missing.
        ValueError: When an op gives another shape than the plan says.
    """
    uses = Counter(number for op in ops for number in op.inputs)
    kept = set(wanted)
    for placed in ops:
        tensors = {
            name: state[placed.prefix + name]
            for name in (*placed.op.parameters(), *placed.op.buffers())
        }
        result = run(placed.op, tensors, [values[number] for number in placed.inputs], mode)
        results = result if isinstance(result, tuple) else (result,)
        for number, shape, value in zip(placed.outputs, placed.output_shapes, results, strict=True):
            if tuple(value.shape[1:]) != shape.sizes:
                raise ValueError(f"{placed.id}: {tuple(value.shape[1:])}, planned {shape.sizes}")
            values[number] = value
        if observe is not None:
            observe(placed, results)
        for number in placed.inputs:
            uses[number] -= 1
            if uses[number] == 0 and number not in kept:
                del values[number]
    return tuple(values[number] for number in wanted)


def run(
    op: AnyOp, p: Mapping[str, Tensor], x: list[Tensor], mode: Mode = "infer"
) -> Tensor | tuple[Tensor, ...]:
    """The result of one op on its inputs (B, ...), with its own tensors in `p`."""
    match op:
        case Conv2d():
            return F.conv2d(x[0], p["weight"], p["bias"], op.stride, op.padding, groups=op.groups)
        case Linear():
            return F.linear(x[0], p["weight"], p["bias"])
        case BatchNorm2d():
            return _batch_norm(op, p, x[0], mode)
        case LayerNorm():
            return F.layer_norm(x[0], (op.num_features,), p["weight"], p["bias"], op.epsilon)
        case Activation():
            return activate(op.function, x[0])
        case AvgPool2d():
            return F.avg_pool2d(
                x[0], op.kernel_size, op.stride, op.padding, count_include_pad=False
            )
        case Upsample():
            return F.interpolate(x[0], size=(op.height, op.width), mode="bilinear")
        case DropPath():
            return _drop_path(x[0], op.drop_prob) if mode == "train" else x[0]
        case LayerScale():
            return x[0] * (p["gamma"].view(1, -1, 1, 1) if op.spatial else p["gamma"])
        case AttentionBias():
            return x[0] + p["attention_biases"][:, _offsets(op, x[0].device)]
        case ScoreBias():
            return x[0] + p["attention_bias"]
        case Add():
            return x[0] + x[1]
        case Subtract():
            return x[0] - x[1]
        case Scale():
            return x[0] * math.pow(op.base, op.exponent)
        case MatMul():
            left = x[0].transpose(-2, -1) if op.transpose_x else x[0]
            return left @ (x[1].transpose(-2, -1) if op.transpose_y else x[1])
        case Softmax():
            return x[0].softmax(dim=-1)
        case Transpose():
            return x[0].transpose(-2, -1)
        case Flatten():
            return x[0].flatten(2)
        case Unflatten():
            return torch.unflatten(x[0], 2, (op.height, op.width))
        case SplitHeads():
            return torch.unflatten(x[0], 1, (op.num_heads, -1))
        case MergeHeads():
            return x[0].flatten(1, 2)
        case Split():
            return x[0].split(op.parts, dim=2)  # type: ignore[no-any-return, no-untyped-call]
        case ToTokens():
            return x[0].flatten(2).transpose(1, 2)
        case ToMap():
            return torch.unflatten(x[0].transpose(1, 2), 2, (op.height, op.width))
        case GlobalPool():
            return x[0].mean(dim=(2, 3) if op.spatial else 1)
        case AverageHeads():
            return (x[0] + x[1]) / 2
        case _:
            assert_never(op)


def _batch_norm(op: BatchNorm2d, p: Mapping[str, Tensor], x: Tensor, mode: Mode) -> Tensor:
    mean, variance, momentum = p["running_mean"], p["running_var"], MOMENTUM
    if mode != "infer":
        seen = p["num_batches_tracked"].add_(1)
        momentum = MOMENTUM if mode == "train" else 1 / seen.item()
    return F.batch_norm(
        x, mean, variance, p["weight"], p["bias"], mode != "infer", momentum, op.epsilon
    )


def _drop_path(x: Tensor, probability: float) -> Tensor:
    """As the class `DropPath` of generated source does it, with the same random numbers."""
    if probability == 0.0:
        return x
    keep = 1.0 - probability
    mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
    return x * mask / keep


@lru_cache(maxsize=MAX_TABLES)
def _offsets(op: AttentionBias, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # whoever asks first, others may want gradients
        return torch.from_numpy(relative_offsets(op)).to(device)


def activate(function: Activations, x: Tensor) -> Tensor:
    """A non-linearity by its name in specs."""
    match function:
        case "gelu":
            return F.gelu(x)
        case "relu":
            return F.relu(x)
        case "relu6":
            return F.relu6(x)
        case "silu":
            return F.silu(x)
        case "hardswish":
            return F.hardswish(x)
        case _:
            assert_never(function)
