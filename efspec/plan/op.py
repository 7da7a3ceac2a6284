"""What an op is: the shapes of values, and the base of all ops.

Shapes leave out the batch axis. C is channels, H and W height and width, N tokens, h heads,
d channels per head.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple, get_args

from efspec.plan.size import plain
from efspec.record import Record

Activations = Literal["gelu", "relu", "relu6", "silu", "hardswish"]
ACTIVATIONS: tuple[Activations, ...] = get_args(Activations)

Init = Literal["default", "trunc_normal"]
"""Initial weights: PyTorch's own, or a truncated normal of 0.02 with a zero bias."""

Category = Literal["compute", "norm", "activation", "reshape", "residual"]
"""What an op is by itself; what a `compute` op is for depends on the block it stands in."""


class Shape(NamedTuple):
    """The shape of a value, and the (H, W) it is a map of, if it is one.

    A map has sizes (C, H, W), tokens have sizes (N, C); both know their `space` (H, W). Other
    values, such as heads and logits, have no space.
    """

    sizes: tuple[int, ...]
    space: tuple[int, int] | None = None

    @property
    def layout(self) -> Literal["map", "tokens", "other"]:
        """Which of the two representations this is, or neither."""
        if self.space is None:
            return "other"
        return "map" if len(self.sizes) == 3 else "tokens"

    @property
    def channels(self) -> int:
        """C of a map, of tokens or of a vector."""
        return self.sizes[-1] if self.layout == "tokens" else self.sizes[0]

    def plain(self) -> Shape:
        """The same shape in plain integers."""
        space = None if self.space is None else (plain(self.space[0]), plain(self.space[1]))
        return Shape(tuple(map(plain, self.sizes)), space)

    def elements(self) -> int:
        """How many numbers a value of this shape holds, per image."""
        return math.prod(self.sizes)


def map_shape(channels: int, height: int, width: int) -> Shape:
    """The shape of a map (C, H, W)."""
    return Shape((channels, height, width), (height, width))


def token_shape(channels: int, height: int, width: int) -> Shape:
    """The shape of tokens (H * W, C)."""
    return Shape((height * width, channels), (height, width))


class Op(Record):
    """A primitive op. Fields are its sizes and options; `infer` gives the shape of its result."""

    category: ClassVar[Category] = "compute"
    is_view: ClassVar[bool] = False
    """Whether the result shares its memory with the first input."""
    parameters_fold: ClassVar[bool] = False
    """Whether deployment folds the parameters into another op; the papers leave them out."""

    def infer(self, *inputs: Shape) -> Shape | tuple[Shape, ...]:
        """The shape of the result (or of each, if there are several), in the inputs' terms."""
        return inputs[0]

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Trainable tensors by name."""
        return {}

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Tensors of the state dict that are not trained, by name."""
        return {}


class Layer(Op):
    """An op with a name of its own in the module tree, which prefixes its state."""


class Function(Op):
    """An op without a module of its own; state that it has belongs to the module around it."""


def strided(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """The length of an axis after a window has slid over it."""
    stride, overhang = plain(stride), plain(kernel_size) - 2 * plain(padding)
    return size - (overhang - 1) if stride == 1 else (size - overhang) // stride + 1


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """One number per axis, vertical first."""
    return value if isinstance(value, tuple) else (value, value)


def require(condition: bool, message: str, *values: object) -> None:
    """Hold an op to its contract; a block that breaks it is a bug of the block.

    Args:
        condition: What has to hold.
        message: What is wrong otherwise, with a pair of braces for each value.
        values: What the message tells.

    Raises:
        ValueError: When the condition does not hold.
    """
    if not condition:
        raise ValueError(message.format(*values))
