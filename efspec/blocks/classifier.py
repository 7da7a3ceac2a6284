"""What the classification heads have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from efspec.blocks.options import Classes, Expected, Part
from efspec.plan import Builder, Value
from efspec.plan.ops import BatchNorm2d, GlobalPool, LayerNorm

Norm = Literal["batch", "layer"]


class ClassifierSpec(Part):
    """Base of the heads that classify."""

    classes: Classes = 1000
    """How many classes."""
    norm: Annotated[Literal[Norm, "auto"], Expected("auto, batch or layer")] = "auto"
    """Norm before the pool; `auto` is layer norm after tokens and batch norm after maps."""


def pooled(b: Builder, x: Value, norm: Norm | Literal["auto"]) -> Value:
    """The features (C,) of the last stage's result: normed, then averaged over the map."""
    if norm == "auto":
        norm = "layer" if x.layout == "tokens" else "batch"
    x = normed(b, "norm", x, norm)
    return b.apply(GlobalPool(spatial=x.layout == "map"), x, var="x")


def normed(b: Builder, name: str, x: Value, norm: Norm) -> Value:
    """A value after a norm, in the representation which that norm takes."""
    if norm == "layer":
        x = b.convert(x, "tokens")
        return b.layer(name, LayerNorm(x.channels), x)
    x = b.convert(x, "map")
    return b.layer(name, BatchNorm2d(x.channels), x)
