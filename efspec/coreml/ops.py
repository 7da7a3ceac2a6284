"""Each op in MIL."""

from __future__ import annotations

from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from efspec.coreml.names import Names
from efspec.deploy import Weights, relative_offsets
from efspec.plan import PlacedOp
from efspec.plan.op import pair
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

Array = npt.NDArray[Any]
Var = Any
"""A value in a MIL program; coremltools has no types."""


class Context:
    """What ops are emitted with.

    Args:
        mb: The builder of coremltools.
        names: Gives names.
        weights: Tensors by their names in the state dict.
        dtype: Type of all that is computed with.
    """

    def __init__(
        self, mb: Any, names: Names, weights: Weights, dtype: type[np.floating[Any]]
    ) -> None:
        self.mb = mb
        self.names = names
        self.dtype = dtype
        self._weights = weights

    def tensor(self, placed: PlacedOp, name: str) -> Var:
        """A tensor of an op, as a constant of its own.

        Raises:
            KeyError: When it is missing.
            ValueError: When it has another shape than the plan says.
        """
        shape = (placed.op.parameters() | placed.op.buffers())[name]
        array = self._weights[placed.prefix + name]
        if array.shape != shape:
            raise ValueError(f"{placed.prefix}{name} is {array.shape}, not {shape}")
        return self.constant(placed.prefix + name, array)

    def weight(self, placed: PlacedOp, name: str) -> Array:
        """A tensor of an op as it is in the state dict."""
        return self._weights[placed.prefix + name]

    def constant(self, key: str, array: Array) -> Var:
        """A constant, in the type of all that is computed with."""
        return self.mb.const(val=self.number(array), name=self.names.constant(key))

    def number(self, value: Array | float) -> Array:
        """A number or several, in the type of all that is computed with.

        Rounded to single precision before half: a package holds what its twin does, rounded.
        """
        return np.asarray(value, np.float32).astype(self.dtype)


def emit_op(c: Context, placed: PlacedOp, name: str, x: list[Var]) -> tuple[Var, ...]:
    """The results of an op; what it takes several MIL ops for ends in the one of its name."""
    if isinstance(placed.op, Split):
        parts = c.mb.split(x=x[0], split_sizes=list(placed.op.parts), axis=2, name=name)
        for i, part in enumerate(parts):  # the builder numbers them by itself
            part.name = c.names.of(placed.id, str(i))
        del c.names.ids[name]
        return tuple(parts)
    return (_emit(c, placed, name, x),)


def _emit(c: Context, placed: PlacedOp, name: str, x: list[Var]) -> Var:
    mb, op = c.mb, placed.op
    shape = (1, *placed.output_shapes[0].sizes)
    match op:
        case Conv2d():
            weight, bias = (c.tensor(placed, key) for key in ("weight", "bias"))
            top, left = pair(op.padding)
            return mb.conv(
                x=x[0],
                weight=weight,
                bias=bias,
                strides=[op.stride] * 2,
                pad_type="custom",
                pad=[top, top, left, left],
                dilations=[1, 1],
                groups=op.groups,
                name=name,
            )
        case Linear():
            weight, bias = (c.tensor(placed, key) for key in ("weight", "bias"))
            return mb.linear(x=x[0], weight=weight, bias=bias, name=name)
        case BatchNorm2d():
            return mb.batch_norm(
                x=x[0],
                mean=c.tensor(placed, "running_mean"),
                variance=c.tensor(placed, "running_var"),
                gamma=c.tensor(placed, "weight"),
                beta=c.tensor(placed, "bias"),
                epsilon=c.number(op.epsilon),
                name=name,
            )
        case LayerNorm():
            return mb.layer_norm(
                x=x[0],
                axes=[-1],
                gamma=c.tensor(placed, "weight"),
                beta=c.tensor(placed, "bias"),
                epsilon=c.number(op.epsilon),
                name=name,
            )
        case Activation():
            return _activate(c, op.function, placed, name, x[0])
        case AvgPool2d():
            return mb.avg_pool(
                x=x[0],
                kernel_sizes=[op.kernel_size] * 2,
                strides=[op.stride] * 2,
                pad_type="custom",
                pad=[op.padding] * 4,
                exclude_padding_from_average=True,
                ceil_mode=False,
                name=name,
            )
        case Upsample():
            return _upsample(c, op, placed, name, x[0])
        case DropPath():
            return mb.identity(x=x[0], name=name)
        case LayerScale():
            gamma = c.weight(placed, "gamma")
            gamma = gamma.reshape((1, -1, 1, 1) if op.spatial else (-1,))
            return mb.mul(x=x[0], y=c.constant(f"{placed.prefix}gamma", gamma), name=name)
        case AttentionBias():
            table = c.weight(placed, "attention_biases")[:, relative_offsets(op)]
            key = f"{placed.prefix}attention_biases"
            return mb.add(x=x[0], y=c.constant(key, table[np.newaxis]), name=name)
        case ScoreBias():
            bias = c.weight(placed, "attention_bias")[np.newaxis]
            key = f"{placed.prefix}attention_bias"
            return mb.add(x=x[0], y=c.constant(key, bias), name=name)
        case Add():
            return mb.add(x=x[0], y=x[1], name=name)
        case Subtract():
            return mb.sub(x=x[0], y=x[1], name=name)
        case Scale():
            return mb.mul(x=x[0], y=c.number(float(op.base) ** op.exponent), name=name)
        case MatMul():
            flags = {"transpose_x": op.transpose_x, "transpose_y": op.transpose_y}
            return mb.matmul(x=x[0], y=x[1], **flags, name=name)
        case Softmax():
            return mb.softmax(x=x[0], axis=-1, name=name)
        case Transpose():
            *kept, one, other = range(len(shape))
            return mb.transpose(x=x[0], perm=[*kept, other, one], name=name)
        case Flatten() | Unflatten() | SplitHeads() | MergeHeads():
            return mb.reshape(x=x[0], shape=shape, name=name)
        case ToTokens():
            channels, tokens = shape[2], shape[1]
            flat = mb.reshape(
                x=x[0], shape=(1, channels, tokens), name=c.names.of(placed.id, "flat")
            )
            return mb.transpose(x=flat, perm=[0, 2, 1], name=name)
        case ToMap():
            turned = mb.transpose(x=x[0], perm=[0, 2, 1], name=c.names.of(placed.id, "turned"))
            return mb.reshape(x=turned, shape=shape, name=name)
        case GlobalPool():
            axes = [2, 3] if op.spatial else [1]
            return mb.reduce_mean(x=x[0], axes=axes, keep_dims=False, name=name)
        case AverageHeads():
            total = mb.add(x=x[0], y=x[1], name=c.names.of(placed.id, "total"))
            return mb.mul(x=total, y=c.number(0.5), name=name)
        case Split():
            raise AssertionError("has several results")
        case _:
            assert_never(op)


def _activate(c: Context, function: Activations, placed: PlacedOp, name: str, x: Var) -> Var:
    mb = c.mb
    match function:
        case "gelu":
            return mb.gelu(x=x, mode="EXACT", name=name)
        case "relu":
            return mb.relu(x=x, name=name)
        case "relu6":
            return mb.relu6(x=x, name=name)
        case "silu":
            return mb.silu(x=x, name=name)
        case "hardswish":
            gate = mb.sigmoid_hard(
                x=x, alpha=c.number(1 / 6), beta=c.number(0.5), name=c.names.of(placed.id, "gate")
            )
            return mb.mul(x=x, y=gate, name=name)
        case _:
            assert_never(function)


def _upsample(c: Context, op: Upsample, placed: PlacedOp, name: str, x: Var) -> Var:
    """Bilinear, with half-pixel centres: by a factor where it is a whole one, else to a size."""
    _, height, width = placed.input_shapes[0].sizes
    if op.height % height == 0 and op.width % width == 0:
        return c.mb.upsample_bilinear(
            x=x,
            scale_factor_height=float(op.height // height),
            scale_factor_width=float(op.width // width),
            align_corners=False,
            name=name,
        )
    return c.mb.resize_bilinear(
        x=x,
        target_size_height=op.height,
        target_size_width=op.width,
        sampling_mode="UNALIGN_CORNERS",
        name=name,
    )
