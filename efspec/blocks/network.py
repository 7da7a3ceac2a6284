"""The whole network: stem, stages and head. These blocks hold others and have no spec."""

from __future__ import annotations

from typing import ClassVar, Literal

from efspec.blocks.distilled_head import DistilledHead
from efspec.blocks.features_head import FeaturesHead
from efspec.blocks.linear_head import LinearHead
from efspec.errors import Diagnostic
from efspec.plan import Block, BlockError, Builder, RateArg, Shape, SizeArg, Value
from efspec.plan.module import Purpose

ClassifierHead = LinearHead | DistilledHead
Head = ClassifierHead | FeaturesHead


class Stage(Block):
    """Blocks of one width and resolution, behind an optional downsample."""

    inline: ClassVar[bool] = True

    downsample: Block | None
    blocks: Chain

    def takes(self) -> Literal["map", "tokens", "any"]:
        """See `Block.takes`."""
        return self.downsample.takes() if self.downsample else "any"

    def forward(self, b: Builder, x: Value) -> Value:
        """The previous stage's result to this one's; mistakes of both parts are collected."""
        children = _Children(b)
        if self.downsample:
            x = children.call("downsample", self.downsample, x, purpose="embedding")
        return children.result(children.call("blocks", self.blocks, x))


class Chain(Block):
    """Blocks one after the other, numbered from 0; a conversion between them takes no number."""

    inline: ClassVar[bool] = True

    items: tuple[Block, ...]

    def takes(self) -> Literal["map", "tokens", "any"]:
        """See `Block.takes`; what its first item takes is up to that."""
        return "any"

    def forward(self, b: Builder, x: Value) -> Value:
        """What the first takes to what the last gives; mistakes of all items are collected."""
        children = _Children(b)
        for i, item in enumerate(self.items):
            # A block that cannot be is taken to keep its map's shape, as the blocks of a stage do.
            otherwise = None if isinstance(item, Stage) else x.shape
            x = children.call(str(i), item, x, otherwise=otherwise)
        return children.result(x)


class _Children:
    """Calls blocks one after the other, beyond those that cannot be, to find all mistakes.

    Args:
        b: The builder of the block that calls them.
    """

    def __init__(self, b: Builder) -> None:
        self.b = b
        self.mistakes: list[tuple[tuple[str, ...], Diagnostic]] = []

    def call(
        self,
        name: str,
        block: Block,
        x: Value,
        *,
        var: str = "",
        purpose: Purpose = "",
        otherwise: Shape | None = None,
    ) -> Value:
        """The result of a child as of `Builder.call`; where it cannot be, what it would give.

        Raises:
            BlockError: When that is not known, neither by the child nor as `otherwise`.
        """
        try:
            return self.b.call(name, block, x, var=var, purpose=purpose)
        except BlockError as error:
            self.mistakes += error.mistakes
            shape = error.output or otherwise
            if shape is None:
                raise BlockError(tuple(self.mistakes)) from None
            return Value(shape)

    def result(self, x: Value) -> Value:
        """The last child's result.

        Raises:
            BlockError: When a child could not be; holds the mistakes of all.
        """
        if self.mistakes:
            raise BlockError(tuple(self.mistakes), x.shape)
        return x


class Network(Block):
    """A network: its class is named after the spec, and holds the head's layers itself.

    Attributes:
        stem: Image to the first map.
        stages: The stages.
        head: Last stage's result to logits, or chosen stages' results to maps.
        num_classes: Classes of a classifier; None for a backbone.
        drop_path: The last block's rate where rates rise linearly over all blocks; else None.
    """

    inline: ClassVar[bool] = True

    stem: Block
    stages: tuple[Stage, ...]
    head: Head
    num_classes: SizeArg | None
    drop_path: RateArg | None

    def forward(self, b: Builder, x: Value) -> Value | tuple[Value, ...]:
        """An image (channels, H, W) to logits (num_classes,) or to maps."""
        x = b.call("stem", self.stem, x, var="x", purpose="embedding")
        if isinstance(self.head, FeaturesHead):
            maps, children = [], _Children(b)
            # Stages behind the last one wanted have no effect, and are left out.
            for i, stage in enumerate(self.stages[: self.head.stages[-1] + 1]):
                wanted = i in self.head.stages
                var = f"x{i}" if wanted else "x"
                x = children.call(f"stages.{i}", stage, x, var=var, purpose="other")
                if wanted:
                    maps.append(self.head.forward(b, i, x))
            children.result(x)
            return tuple(maps)
        assert self.num_classes is not None  # classifiers have classes
        x = b.call("stages", Chain(items=self.stages), x, var="x", purpose="other")
        return self.head.forward(b, x, self.num_classes)


class HeadAlone(Block):
    """A classifier's head without its network, to be counted or measured alone."""

    inline: ClassVar[bool] = True

    head: ClassifierHead
    num_classes: SizeArg

    def takes(self) -> Literal["any"]:
        """See `Block.takes`."""
        return "any"

    def forward(self, b: Builder, x: Value) -> Value:
        """The last stage's result to logits (num_classes,)."""
        return self.head.forward(b, x, self.num_classes)
