"""The ops that move no number: they give a value another shape, and share its memory.

Letters of shapes are those of `efspec.plan.op`.
"""

from __future__ import annotations

from typing import ClassVar

from efspec.plan.op import Category, Function, Shape, map_shape, require, token_shape
from efspec.plan.size import plain


class Reshape(Function):
    """Base of these ops."""

    category: ClassVar[Category] = "reshape"
    is_view: ClassVar[bool] = True


class Transpose(Reshape):
    """Swap of the last two axes."""

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return Shape((*x.sizes[:-2], x.sizes[-1], x.sizes[-2]))


class Flatten(Reshape):
    """A map (C, H, W) as (C, H * W)."""

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        channels, height, width = x.sizes
        return Shape((channels, height * width))


class Unflatten(Reshape):
    """(C, height * width) as a map (C, height, width)."""

    height: int
    width: int

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return map_shape(x.sizes[0], self.height, self.width)


class SplitHeads(Reshape):
    """(h * d, N) as (h, d, N)."""

    num_heads: int
    head_dim: int

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        require(
            plain(x.sizes[0]) == plain(self.num_heads) * plain(self.head_dim),
            "{} channels are not {} heads of {}",
            x.sizes[0],
            self.num_heads,
            self.head_dim,
        )
        return Shape((self.num_heads, self.head_dim, x.sizes[1]))


class MergeHeads(Reshape):
    """(h, d, N) as (h * d, N)."""

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        heads, dim, tokens = x.sizes
        return Shape((heads * dim, tokens))


class Split(Reshape):
    """The channels of every head, in parts: (h, d, N) to (h, part, N) for each part."""

    parts: tuple[int, ...]

    def infer(self, *inputs: Shape) -> tuple[Shape, ...]:
        ((heads, _, tokens), _) = inputs[0]
        return tuple(Shape((heads, part, tokens)) for part in self.parts)


class ToTokens(Reshape):
    """A map (C, H, W) as tokens (H * W, C)."""

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return token_shape(*x.sizes)


class ToMap(Reshape):
    """Tokens (height * width, C) as a map (C, height, width)."""

    height: int
    width: int

    def infer(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return map_shape(x.sizes[1], self.height, self.width)
