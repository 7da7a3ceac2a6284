"""The arguments of foreign descriptions of networks, and what they mean for an outline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from efspec.blocks.options import (
    MAX_REPEAT,
    Expected,
    Flag,
    Items,
    Part,
    PerRepeat,
    Ratio,
    Width,
)
from efspec.record import Record
from efspec.spec.schema import MAX_SIZE, MAX_STAGES, MIN_SIZE, Side, Sides


class Means(Record):
    """Which field of an outline an argument stands for."""

    field: str


def one_or_each(value: object) -> str:
    """The tag of a value that may stand alone or in a list."""
    return "each" if isinstance(value, list | tuple) else "one"


PER_STAGE = Field(min_length=1, max_length=MAX_STAGES)

Text = Annotated[str, Expected("a text")]
Widths = Annotated[Items[Width], PER_STAGE, Expected("a list with the channels of each stage")]
Depth = Annotated[int, Field(ge=1, le=MAX_REPEAT), Expected(f"an integer from 1 to {MAX_REPEAT:,}")]
Depths = Annotated[Items[Depth], PER_STAGE, Expected("a list with the blocks of each stage")]
Count = Annotated[int, Field(ge=0, le=MAX_REPEAT), Expected(f"an integer from 0 to {MAX_REPEAT:,}")]
Some = Annotated[int, Field(ge=1, le=MAX_REPEAT), Expected(f"an integer from 1 to {MAX_REPEAT:,}")]
Counts = Annotated[
    Annotated[Count, Tag("one")] | Annotated[Annotated[Items[Count], PER_STAGE], Tag("each")],
    Discriminator(one_or_each),
    Expected("an integer, or a list with one for each stage"),
]
StageRatios = Annotated[
    Annotated[Ratio, Tag("one")]
    | Annotated[Annotated[Items[PerRepeat[Ratio]], PER_STAGE], Tag("each")],
    Discriminator(one_or_each),
    Expected("a number, or a list with a number or a list of numbers for each stage"),
]
Flags = Annotated[Items[Flag], PER_STAGE, Expected("a list of true and false, one for each stage")]
Size = Annotated[
    Annotated[Side, Tag("one")] | Annotated[Sides, Tag("each")],
    Discriminator(one_or_each),
    Expected(f"one integer from {MIN_SIZE} to {MAX_SIZE:,}, or [height, width]"),
]
ActName = Annotated[
    Literal["gelu", "relu", "relu6", "silu", "swish", "hardswish", "hard_swish"],
    Expected("gelu, relu, relu6, silu, swish, hardswish or hard_swish"),
    AfterValidator(lambda name: {"swish": "silu", "hard_swish": "hardswish"}.get(name, name)),
]


class Foreign(Part):
    """Base of the formats' models: the arguments of a format, with its own defaults.

    A default of None means that the format has none; the value is then looked for elsewhere.
    """

    origin: ClassVar[str]
    """Whose defaults these are, in words."""
    is_complete: ClassVar[bool] = True
    """Whether those defaults are meant where nothing is written.

    If not, a published network of the same widths and depths is the better guess.
    """

    name: Text | None = None
    """Name of the network."""

    def label(self) -> str:
        """What the network is called; empty where nothing says it."""
        return self.name or ""

    def given(self) -> dict[str, Any]:
        """What was written, by field of an outline; null is the same as nothing.

        But for a layer scale, which is then left out.
        """
        written = self._by_field(self.model_fields_set)
        return {f: value for f, value in written.items() if value is not None or f == "layer_scale"}

    def defaults(self) -> dict[str, Any]:
        """What the format has where nothing was written, by field of an outline."""
        unwritten = type(self).model_fields.keys() - self.model_fields_set
        return {field: v for field, v in self._by_field(unwritten).items() if v is not None}

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """The field of an outline that each argument stands for."""
        return {
            name: mark.field
            for name, info in cls.model_fields.items()
            for mark in info.metadata
            if isinstance(mark, Means)
        }

    def _by_field(self, names: Iterable[str]) -> dict[str, Any]:
        meanings = self.meanings()
        return {meanings[name]: getattr(self, name) for name in names if name in meanings}


def only(*values: object, because: str) -> AfterValidator:
    """The check of an argument of which a spec can express one value, or a few.

    Args:
        values: What is accepted.
        because: Why nothing else is.
    """
    words = " or ".join("null" if v is None else str(v).lower() for v in values)

    def check(value: object) -> object:
        if value not in values:
            raise PydanticCustomError(
                "unsupported-argument", "{why}", {"why": because, "expected": words}
            )
        return value

    return AfterValidator(check)
