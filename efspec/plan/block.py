"""What a block is: a record whose `forward` speaks to a builder.

Fields annotated `SizeArg` or `RateArg` become arguments of the printed class. All other fields
are structural: they are decided when the class is written, and another value is another class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Literal,
    Self,
    dataclass_transform,
)

from efspec.plan.size import Rate, Size
from efspec.record import Record

if TYPE_CHECKING:
    from efspec.plan.builder import Builder
    from efspec.plan.module import Value

SizeArg = Annotated[int, "SizeArg"]
RateArg = Annotated[float, "RateArg"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Block(Record, ABC):
    """Base of all blocks: records of named fields, with a `forward`."""

    layout: ClassVar[Literal["map", "tokens"]] = "map"
    """The representation that blocks of this type take."""
    inline: ClassVar[bool] = False
    """Whether it is written out where it stands instead of becoming a class of its own."""
    arguments: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that become constructor arguments, in order."""

    def __init_subclass__(cls) -> None:
        """Tell arguments from structural fields, by how the annotations were written."""
        super().__init_subclass__()
        cls.arguments = tuple(
            name for name, hint in cls.hints.items() if "SizeArg" in hint or "RateArg" in hint
        )

    @abstractmethod
    def forward(self, b: Builder, x: Value) -> Value | tuple[Value, ...]:
        """Record the block's ops on `b` and return its result.

        Args:
            b: Records layers, functions and calls of other blocks.
            x: The input, a map (C, H, W) or tokens (N, C) as `layout` says.
        """

    def takes(self) -> Literal["map", "tokens", "any"]:
        """The representation that `forward` takes; a value in another is converted first."""
        return self.layout

    def class_name(self) -> str:
        """Name of the printed class; blocks may say more than their type."""
        return type(self).__name__

    def summary(self) -> str:
        """Docstring of the printed class."""
        return type(self).__doc__ or ""

    def sizes(self) -> dict[str, int | float]:
        """The constructor arguments by name; one that is None is a structural decision."""
        values = {name: getattr(self, name) for name in self.arguments}
        return {name: value for name, value in values.items() if value is not None}

    def sized(self, sizes: Mapping[str, int | float]) -> Self:
        """The block with other values of its constructor arguments."""
        return self.replaced(**sizes)

    def defaults(self) -> dict[str, int | float]:
        """Default value of each constructor argument that has one."""
        found = {name: getattr(type(self), name, None) for name in self.arguments}
        return {name: value for name, value in found.items() if isinstance(value, int | float)}

    def structure(self) -> tuple[tuple[str, object], ...]:
        """The structural fields, by name."""
        values = {name: getattr(self, name) for name in self.fields}
        arguments = self.arguments
        return tuple(
            [(n, value) for n, value in values.items() if n not in arguments or value is None]
        )

    def symbolic(self) -> Self:
        """The block with its arguments written as their names."""
        named = {
            name: Size(value, name) if isinstance(value, int) else Rate(value, name)
            for name, value in self.sizes().items()
        }
        return self.sized(named)
