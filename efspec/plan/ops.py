"""The primitive ops: what they are, the state they own, and the shapes they give.

The set is closed within a release: each backend matches over all of it. An op is fields, shape
inference and state; how much it costs, how it runs and how it is written belongs to the backends.
Letters of shapes are those of `efspec.plan.op`.
"""

from __future__ import annotations

from typing import ClassVar

from efspec.plan.op import (
    ACTIVATIONS,
    Activations,
    Category,
    Function,
    Init,
    Layer,
    Op,
    Shape,
    map_shape,
    pair,
    require,
    strided,
)
from efspec.plan.reshapes import (
    Flatten,
    MergeHeads,
    Split,
    SplitHeads,
    ToMap,
    ToTokens,
    Transpose,
    Unflatten,
)
from efspec.plan.size import plain

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Activations",
    "Add",
    "AnyOp",
    "AttentionBias",
    "AverageHeads",
    "AvgPool2d",
    "BatchNorm2d",
    "Conv2d",
    "DropPath",
    "Flatten",
    "Function",
    "FunctionOp",
    "GlobalPool",
    "Init",
    "Layer",
    "LayerNorm",
    "LayerOp",
    "LayerScale",
    "Linear",
    "MatMul",
    "MergeHeads",
    "Op",
    "Scale",
    "ScoreBias",
    "Shape",
    "Softmax",
    "Split",
    "SplitHeads",
    "Subtract",
    "ToMap",
    "ToTokens",
    "Transpose",
    "Unflatten",
    "Upsample",
    "strided",
]


EPSILON = 1e-5
"""What norms add to a variance: PyTorch's default, which the published networks use."""


class Conv2d(Layer):
    """Convolution with bias: (C, H, W) to (out_channels, H', W')."""

    in_channels: int
    out_channels: int
    kernel_size: int = 1
    stride: int = 1
    padding: int | tuple[int, int] = 0
    groups: int = 1
    init: Init = "default"

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        vertical, horizontal = pair(self.padding)
        _, rows, columns = x.sizes
        height = strided(rows, self.kernel_size, self.stride, vertical)
        width = strided(columns, self.kernel_size, self.stride, horizontal)
        space = None if x.space is None else (height, width)
        return Shape((self.out_channels, height, width), space)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        kernel = (self.kernel_size, self.kernel_size)
        weight = (self.out_channels, self.in_channels // self.groups, *kernel)
        return {"weight": weight, "bias": (self.out_channels,)}


class Linear(Layer):
    """Affine map over the last axis: (..., in_features) to (..., out_features)."""

    in_features: int
    out_features: int
    init: Init = "trunc_normal"

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return Shape((*x.sizes[:-1], self.out_features), x.space)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class BatchNorm2d(Layer):
    """Batch normalisation of a map, per channel."""

    epsilon: ClassVar[float] = EPSILON

    category: ClassVar[Category] = "norm"
    parameters_fold: ClassVar[bool] = True

    num_features: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_features,), "bias": (self.num_features,)}

    def buffers(self) -> dict[str, tuple[int, ...]]:
        statistics = (self.num_features,)
        return {
            "running_mean": statistics,
            "running_var": statistics,
            "num_batches_tracked": (),
        }


class LayerNorm(Layer):
    """Layer normalisation of tokens over their channels."""

    epsilon: ClassVar[float] = EPSILON

    category: ClassVar[Category] = "norm"

    num_features: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_features,), "bias": (self.num_features,)}


class Activation(Layer):
    """A pointwise non-linearity."""

    category: ClassVar[Category] = "activation"

    function: Activations


class AvgPool2d(Layer):
    """Average over windows of a map; padding is not counted in the average."""

    kernel_size: int
    stride: int = 1
    padding: int = 0

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        channels, height, width = x.sizes
        return map_shape(
            channels,
            strided(height, self.kernel_size, self.stride, self.padding),
            strided(width, self.kernel_size, self.stride, self.padding),
        )


class Upsample(Layer):
    """Bilinear interpolation of a map to an exact size, with half-pixel centres."""

    height: int
    width: int

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return map_shape(x.channels, self.height, self.width)


class DropPath(Layer):
    """Stochastic depth: in training, zero the value per sample with a probability.

    References:
        https://arxiv.org/abs/1603.09382
    """

    category: ClassVar[Category] = "residual"

    drop_prob: float


class LayerScale(Layer):
    """A learned factor per channel, of a map (`spatial`) or of tokens.

    References:
        https://arxiv.org/abs/2103.17239
    """

    category: ClassVar[Category] = "residual"
    parameters_fold: ClassVar[bool] = True

    num_features: int
    init_value: float
    spatial: bool

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"gamma": (self.num_features,)}


class AttentionBias(Function):
    """Adds a learned bias per head and per absolute offset of query and key: (h, Nq, Nk).

    Offsets are measured on a map of (height, width). Queries stand on every `query_stride`-th
    of its rows and columns, keys on every `key_stride`-th. The table is indexed by
    `dy * width + dx`.

    References:
        https://arxiv.org/abs/2104.01136
    """

    num_heads: int
    height: int
    width: int
    query_stride: int = 1
    key_stride: int = 1

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"attention_biases": (self.num_heads, self.height * self.width)}


class ScoreBias(Function):
    """Adds a number of its own to the score of each query and key: (h, Nq, Nk).

    What becomes of an `AttentionBias` in deployment, where its table is looked up once.
    """

    num_heads: int
    queries: int
    keys: int

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"attention_bias": (self.num_heads, self.queries, self.keys)}


class Add(Function):
    """Sum of two values of one shape."""

    category: ClassVar[Category] = "residual"

    def infer(self, *inputs: Shape) -> Shape:
        x, y = inputs
        require(x.plain().sizes == y.plain().sizes, "{} and {} differ", x.sizes, y.sizes)
        return x


class Subtract(Function):
    """Difference of two values of one shape."""

    def infer(self, *inputs: Shape) -> Shape:
        x, y = inputs
        require(x.plain().sizes == y.plain().sizes, "{} and {} differ", x.sizes, y.sizes)
        return x


class Scale(Function):
    """Product with `base ** exponent`, as the attention logits with `key_dim ** -0.5`."""

    base: int
    exponent: float = -0.5


class MatMul(Function):
    """Matrix product over the last two axes: (..., m, k) and (..., k, n) to (..., m, n).

    Either matrix may be transposed before; the shapes above are those after that.
    """

    transpose_x: bool = False
    transpose_y: bool = False

    def infer(self, *inputs: Shape) -> Shape:
        x, y = (shape.sizes for shape in inputs)
        rows, inner = self.rows_and_inner(x)
        columns, other = y[-2:] if self.transpose_y else y[:-3:-1]
        require(plain(inner) == plain(other), "{} by {}", x, y)
        return Shape((*x[:-2], rows, columns))

    def rows_and_inner(self, x: tuple[int, ...]) -> tuple[int, int]:
        """The sizes m and k of a first matrix."""
        return (x[-1], x[-2]) if self.transpose_x else (x[-2], x[-1])


class Softmax(Function):
    """Softmax over the last axis."""


class GlobalPool(Function):
    """Mean over a map or over tokens: to (C,)."""

    spatial: bool

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return Shape((x.channels,))


class AverageHeads(Function):
    """Mean of the two heads' logits; in training the network returns both instead.

    References:
        https://arxiv.org/abs/2012.12877
    """

    def infer(self, *inputs: Shape) -> Shape:
        return inputs[0]


LayerOp = (
    Conv2d
    | Linear
    | BatchNorm2d
    | LayerNorm
    | Activation
    | AvgPool2d
    | Upsample
    | DropPath
    | LayerScale
)
FunctionOp = (
    AttentionBias
    | ScoreBias
    | Add
    | Subtract
    | Scale
    | MatMul
    | Softmax
    | Transpose
    | Flatten
    | Unflatten
    | SplitHeads
    | MergeHeads
    | Split
    | ToTokens
    | ToMap
    | GlobalPool
    | AverageHeads
)
AnyOp = LayerOp | FunctionOp
"""Every op there is. A backend matches over all of them and ends in `assert_never`."""
