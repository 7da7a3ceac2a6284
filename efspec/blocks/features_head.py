"""The head of a backbone: a pyramid of maps, for detection and segmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.classifier import Norm, normed
from efspec.blocks.options import Expected, Items, Part
from efspec.plan import Builder, Value
from efspec.record import Record

MAX_STAGES = 64


StageNumbers = Annotated[
    Items[Annotated[int, Field(ge=0, lt=MAX_STAGES), Expected("a stage number, from 0")]],
    Field(min_length=1, max_length=MAX_STAGES),
    Expected("a list of stage numbers, counted from 0, in order"),
]


class FeaturesHeadSpec(Part):
    """The results of chosen stages as maps, each after a norm of its own if one is wanted.

    Several stages give a tuple of maps, one gives its map. What follows the last is left out.
    """

    type: Literal["features"] = "features"
    stages: StageNumbers
    """Stages whose results are returned, counted from 0."""
    norm: Annotated[Literal["none", "batch", "layer"], Expected("none, batch or layer")] = "none"
    """Norm on each map."""

    @field_validator("stages")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if sorted(set(value)) != list(value):
            raise PydanticCustomError(
                "not-in-order",
                "the stages are not in order, or one is there twice",
                {"fix": f"write `stages: {sorted(set(value))}`"},
            )
        return value

    def head(self) -> FeaturesHead:
        """The head."""
        return FeaturesHead(stages=self.stages, norm=self.norm)


class FeaturesHead(Record):
    """Maps of chosen stages; written into the network's class."""

    stages: tuple[int, ...]
    norm: Norm | Literal["none"]

    def forward(self, b: Builder, stage: int, x: Value) -> Value:
        """The result of one chosen stage to a map (C, H, W)."""
        if self.norm != "none":
            x = normed(b, f"norm{stage}", x, self.norm)
        return b.convert(x, "map")
