"""How each op is written: a layer's constructor, and the expression that applies an op."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, assert_never

from efspec.codegen.layout import Call, Source
from efspec.plan import AnyOp, size
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
    Layer,
    LayerNorm,
    LayerOp,
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

SUM, PRODUCT, ATOM = 1, 2, 3
"""Precedence of an expression: what may stand beside it without parentheses."""

Text = tuple[str, int]
"""Source of an expression, and its precedence."""


class Scope(Protocol):
    """A class that is being written."""

    def write(self, value: int | float | tuple[int, ...]) -> str:
        """Source of a size or rate in the constructor."""

    def keep(self, name: str, value: int) -> str:
        """Source of a size in `forward`; the constructor keeps it if it is no literal."""

    def keep_power(self, base: int, exponent: float) -> str:
        """Source of a power in `forward`, which the constructor keeps."""


_ACTIVATIONS = {
    "gelu": "nn.GELU",
    "relu": "nn.ReLU",
    "relu6": "nn.ReLU6",
    "silu": "nn.SiLU",
    "hardswish": "nn.Hardswish",
}


def constructor(op: LayerOp, scope: Scope) -> Source:
    """The expression that makes a layer, such as `nn.Conv2d(dim, out_dim, 1)`."""
    number = scope.write
    match op:
        case Conv2d():
            channels = (number(op.in_channels), number(op.out_channels), number(op.kernel_size))
            options = {
                "stride": (op.stride, 1),
                "padding": (op.padding, 0),
                "groups": (op.groups, 1),
            }
            return _initialised(op, Call("nn.Conv2d", channels, _unlike_default(options, scope)))
        case Linear():
            features = (number(op.in_features), number(op.out_features))
            return _initialised(op, Call("nn.Linear", features))
        case BatchNorm2d():
            return Call("nn.BatchNorm2d", (number(op.num_features),))
        case LayerNorm():
            return Call("nn.LayerNorm", (number(op.num_features),))
        case Activation():
            return Call(_ACTIVATIONS[op.function])
        case AvgPool2d():
            window = _unlike_default({"stride": (op.stride, op.kernel_size)}, scope)
            if size.expression(op.padding) != 0:
                window += (("padding", number(op.padding)), ("count_include_pad", "False"))
            return Call("nn.AvgPool2d", (number(op.kernel_size),), window)
        case Upsample():
            target = number((op.height, op.width))
            return Call("nn.Upsample", (), (("size", target), ("mode", '"bilinear"')))
        case DropPath():
            return Call("DropPath", (number(op.drop_prob),))
        case LayerScale():
            name = "LayerScale2d" if op.spatial else "LayerScale"
            return Call(name, (number(op.num_features), number(op.init_value)))
        case _:
            assert_never(op)


def application(op: AnyOp, name: str, x: list[Text], scope: Scope) -> Text:
    """The expression that applies an op to its inputs.

    Args:
        op: The op.
        name: The layer's name; empty for a function.
        x: The inputs.
        scope: The class whose `forward` it stands in.
    """
    match op:
        case Layer():
            return f"self.{name}({x[0][0]})", ATOM
        case Add():
            return f"{_at_least(SUM, x[0])} + {_at_least(PRODUCT, x[1])}", SUM
        case Subtract():
            return f"{_at_least(SUM, x[0])} - {_at_least(PRODUCT, x[1])}", SUM
        case Scale():
            factor = scope.keep_power(op.base, op.exponent)
            return f"{_at_least(PRODUCT, x[0])} * {factor}", PRODUCT
        case MatMul():
            left = _transposed(x[0]) if op.transpose_x else _at_least(PRODUCT, x[0])
            right = _transposed(x[1]) if op.transpose_y else _at_least(ATOM, x[1])
            return f"{left} @ {right}", PRODUCT
        case AttentionBias():
            bias = "self.attention_biases[:, self.attention_bias_idxs]"
            return f"{_at_least(SUM, x[0])} + {bias}", SUM
        case ScoreBias():
            return f"{_at_least(SUM, x[0])} + self.attention_bias", SUM
        case Softmax():
            return _method(x, "softmax(dim=-1)")
        case Transpose():
            return _transposed(x[0]), ATOM
        case Flatten():
            return _method(x, "flatten(2)")
        case Unflatten():
            height, width = scope.keep("height", op.height), scope.keep("width", op.width)
            return _method(x, f"unflatten(2, ({height}, {width}))")
        case SplitHeads():
            return _method(x, f"unflatten(1, ({scope.keep('num_heads', op.num_heads)}, -1))")
        case MergeHeads():
            return _method(x, "flatten(1, 2)")
        case Split():
            parts = [scope.keep("part", part) for part in op.parts]
            return _method(x, f"split(({', '.join(parts)}), dim=2)")
        case ToTokens():
            return _method(x, "flatten(2).transpose(1, 2)")
        case ToMap():
            height, width = scope.keep("height", op.height), scope.keep("width", op.width)
            return _method(x, f"transpose(1, 2).unflatten(2, ({height}, {width}))")
        case GlobalPool():
            return _method(x, "mean(dim=(2, 3))" if op.spatial else "mean(dim=1)")
        case AverageHeads():
            return f"({x[0][0]} + {x[1][0]}) / 2", PRODUCT
        case _:
            assert_never(op)


def attention_bias(op: AttentionBias | ScoreBias, scope: Scope) -> list[tuple[str, Source]]:
    """What the constructor runs for an attention bias: prefix of each statement, and its source."""
    if isinstance(op, ScoreBias):
        sizes = tuple(map(scope.write, (op.num_heads, op.queries, op.keys)))
        zeros = Call("nn.Parameter", (Call("torch.zeros", sizes),))
        return [("self.attention_bias = ", zeros)]
    height, width = scope.write(op.height), scope.write(op.width)
    strides = {"query_stride": (op.query_stride, 1), "key_stride": (op.key_stride, 1)}
    index = Call("relative_offsets", (height, width), _unlike_default(strides, scope))
    buffer = Call(
        "self.register_buffer", ('"attention_bias_idxs"', index), (("persistent", "False"),)
    )
    table = Call("torch.zeros", (scope.write(op.num_heads), scope.write(op.height * op.width)))
    return [("self.attention_biases = ", Call("nn.Parameter", (table,))), ("", buffer)]


def _initialised(op: Conv2d | Linear, call: Call) -> Source:
    match op.init:
        case "default":
            return call
        case "trunc_normal":
            return Call("trunc_normal", (call,))
        case _:
            assert_never(op.init)


def _unlike_default(
    options: Mapping[str, tuple[int | tuple[int, int], int]], scope: Scope
) -> tuple[tuple[str, Source], ...]:
    """Options that are not literally their default; one that is written as a name always shows."""
    return tuple(
        (name, scope.write(value))
        for name, (value, default) in options.items()
        if isinstance(value, tuple) or size.expression(value) != size.expression(default)
    )


def _transposed(x: Text) -> str:
    return f"{_at_least(ATOM, x)}.transpose(-2, -1)"


def _method(x: list[Text], call: str) -> Text:
    return f"{_at_least(ATOM, x[0])}.{call}", ATOM


def _at_least(precedence: int, source: Text) -> str:
    return f"({source[0]})" if source[1] < precedence else source[0]
