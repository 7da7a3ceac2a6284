"""Each op as ONNX nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import assert_never

import numpy as np
import numpy.typing as npt

from efspec.deploy import relative_offsets
from efspec.onnx.bilinear import interpolation
from efspec.onnx.graph import Graph
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

GELU = 20
"""The first opset that has it."""
MAX_PIXELS = 64
"""Size of a map up to which onnxruntime interpolates it faster as a matrix product: 1.4 times at
7x7, 1.2 at 8x8, 0.9 at 9x9."""


class Tensors:
    """The tensors of one op, by its own names for them.

    Args:
        graph: Where they become initializers.
        prefix: What their names start with in the state dict.
        weights: The state dict.
        shapes: What the plan says of their shapes.
    """

    def __init__(
        self,
        graph: Graph,
        prefix: str,
        weights: Mapping[str, npt.NDArray[np.generic]],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._graph = graph
        self._prefix = prefix
        self._weights = weights
        self._shapes = shapes

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        """The tensor itself, for what derives from it."""
        key = self._prefix + name
        tensor, shape = self._weights[key], self._shapes[key]
        if tensor.shape != shape:
            raise ValueError(f"{key}: {tensor.shape}, planned {shape}")
        return tensor.astype(np.float32, copy=False)

    def names(self, *names: str) -> list[str]:
        """Initializers that hold tensors as they are."""
        return [self._graph.constant(self._prefix + name, self[name]) for name in names]

    def derived(self, name: str, word: str, value: npt.NDArray[np.float32]) -> str:
        """An initializer that holds what became of a tensor, which a word says."""
        return self._graph.constant(f"{self._prefix}{name}/{word}", value)


def nodes(g: Graph, placed: PlacedOp, p: Tensors, x: list[str]) -> list[str]:
    """Add the nodes of an op; gives the names of its results.

    Args:
        g: The graph.
        placed: The op.
        p: Its tensors.
        x: Names of its inputs.
    """
    op, name = placed.op, placed.id
    rank = 1 + len(placed.input_shapes[0].sizes)
    sizes = placed.output_shapes[0].sizes
    match op:
        case Conv2d():
            vertical, horizontal = pair(op.padding)
            made = g.node(
                "Conv",
                name,
                [*x, *p.names("weight", "bias")],
                kernel_shape=[op.kernel_size] * 2,
                strides=[op.stride] * 2,
                pads=[vertical, horizontal] * 2,
                group=op.groups,
            )
        case Linear() if rank == 2:
            made = g.node("Gemm", name, [*x, *p.names("weight", "bias")], transB=1)
        case Linear():
            weight = p.derived("weight", "transposed", p["weight"].T)
            product = g.node("MatMul", f"{name}/product", [*x, weight])
            made = g.node("Add", name, [product, *p.names("bias")])
        case BatchNorm2d():
            tensors = p.names("weight", "bias", "running_mean", "running_var")
            made = g.node("BatchNormalization", name, [*x, *tensors], epsilon=op.epsilon)
        case LayerNorm():
            tensors = p.names("weight", "bias")
            made = g.node("LayerNormalization", name, [*x, *tensors], axis=-1, epsilon=op.epsilon)
        case Activation():
            made = _activate(g, name, op.function, x[0])
        case AvgPool2d():
            made = g.node(
                "AveragePool",
                name,
                x,
                kernel_shape=[op.kernel_size] * 2,
                strides=[op.stride] * 2,
                pads=[op.padding] * 4,
                count_include_pad=0,
            )
        case Upsample():
            made = _upsample(g, name, x[0], placed.input_shapes[0].sizes, sizes)
        case DropPath():
            return x
        case LayerScale() if op.spatial:
            factors = p.derived("gamma", "per_map", p["gamma"].reshape(-1, 1, 1, 1))
            made = _scale_map(g, name, x[0], factors, op.num_features)
        case LayerScale():
            made = g.node("Mul", name, [*x, *p.names("gamma")])
        case AttentionBias():
            bias = p["attention_biases"][:, relative_offsets(op)]
            made = g.node("Add", name, [*x, p.derived("attention_biases", "looked_up", bias)])
        case ScoreBias():
            made = g.node("Add", name, [*x, *p.names("attention_bias")])
        case Add():
            made = g.node("Add", name, x)
        case Subtract() if rank == 4:
            channels = sizes[0]
            minus = g.constant(f"minus/{channels}", np.full((channels, 1, 1, 1), -1, np.float32))
            made = g.node(
                "Add", name, [x[0], _scale_map(g, f"{name}/minus", x[1], minus, channels)]
            )
        case Subtract():
            made = g.node("Sub", name, x)
        case Scale():
            factor = g.number(f"{name}/factor", math.pow(op.base, op.exponent))
            made = g.node("Mul", name, [*x, factor])
        case MatMul():
            left = g.swap(f"{name}/left", x[0], rank) if op.transpose_x else x[0]
            right = g.swap(f"{name}/right", x[1], rank) if op.transpose_y else x[1]
            made = g.node("MatMul", name, [left, right])
        case Softmax():
            made = g.node("Softmax", name, x, axis=-1)
        case Transpose():
            made = g.swap(name, x[0], rank)
        case Flatten() | Unflatten() | SplitHeads() | MergeHeads():
            made = g.reshape(name, x[0], *sizes)
        case Split():
            parts = g.integers(f"{name}/parts", *op.parts)
            outputs = [f"{name}/{i}" for i in range(len(op.parts))]
            g.node("Split", name, [*x, parts], outputs, axis=2)
            return outputs
        case ToTokens():
            flat = g.reshape(f"{name}/flat", x[0], *reversed(sizes))
            made = g.swap(name, flat, 3)
        case ToMap():
            made = g.reshape(name, g.swap(f"{name}/swapped", x[0], rank), *sizes)
        case GlobalPool() if op.spatial:
            mean = g.node("GlobalAveragePool", f"{name}/map", x)
            made = g.reshape(name, mean, *sizes)
        case GlobalPool():
            made = g.node("ReduceMean", name, [*x, g.integers("axes/1", 1)], keepdims=0)
        case AverageHeads():
            made = g.node("Mean", name, x)
        case _:
            assert_never(op)
    return [made]


def _activate(g: Graph, name: str, function: Activations, x: str) -> str:
    """A non-linearity by its name in specs."""
    match function:
        case "gelu" if g.opset >= GELU:
            return g.node("Gelu", name, [x])
        case "gelu":  # in the order in which runtimes look for it
            scaled = g.node("Div", f"{name}/scaled", [x, g.number("gelu/sqrt_2", math.sqrt(2))])
            erf = g.node("Erf", f"{name}/erf", [scaled])
            shifted = g.node("Add", f"{name}/shifted", [erf, g.number("gelu/1", 1)])
            product = g.node("Mul", f"{name}/product", [x, shifted])
            return g.node("Mul", name, [product, g.number("gelu/half", 0.5)])
        case "relu":
            return g.node("Relu", name, [x])
        case "relu6":
            return g.node("Clip", name, [x, g.number("relu6/0", 0), g.number("relu6/6", 6)])
        case "silu":
            return g.node("Mul", name, [x, g.node("Sigmoid", f"{name}/sigmoid", [x])])
        case "hardswish":
            return g.node("HardSwish", name, [x])
        case _:
            assert_never(function)


def _upsample(g: Graph, name: str, x: str, source: tuple[int, ...], target: tuple[int, ...]) -> str:
    """Bilinear interpolation of a map to a size, with half-pixel centres."""
    pixels = math.prod(source[1:])
    if pixels <= MAX_PIXELS:
        flat = g.reshape(f"{name}/flat", x, source[0], pixels)
        matrix = interpolation((source[1], source[2]), (target[1], target[2]))
        weights = g.constant(f"interpolation/{source[1:]}/{target[1:]}", matrix.astype(np.float32))
        product = g.node("MatMul", f"{name}/product", [flat, weights])
        return g.reshape(name, product, *target)
    half_pixel = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if g.batch:  # all axes are known, and more runtimes take a size of each
        whole = g.integers(f"{name}/size", g.batch, *target)
        return g.node("Resize", name, [x, "", "", whole], **half_pixel)
    size = g.integers(f"{name}/size", *target[1:])
    return g.node("Resize", name, [x, "", "", size], axes=[2, 3], **half_pixel)


def _scale_map(g: Graph, name: str, x: str, factors: str, channels: int) -> str:
    """A map times a number per channel, (C, 1, 1, 1) by name: a convolution of single pixels.

    onnxruntime's convolutions on CPUs work on blocks of channels. Convolutions, pools and sums
    stay in that layout; products and differences leave it, and what follows goes back to it.
    """
    return g.node("Conv", name, [x, factors], kernel_shape=[1, 1], group=channels)
