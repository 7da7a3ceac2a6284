"""The plain classification head."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.classifier import ClassifierSpec, Norm, pooled
from efspec.plan import Builder, Value
from efspec.plan.ops import Linear
from efspec.record import Record


class LinearHeadSpec(ClassifierSpec):
    """Norm, global average and one linear layer."""

    type: Literal["linear"] = "linear"

    def head(self) -> LinearHead:
        """The head."""
        return LinearHead(norm=self.norm)


class LinearHead(Record):
    """One linear layer on the averaged features; written into the network's class."""

    norm: Norm | Literal["auto"]

    def forward(self, b: Builder, x: Value, num_classes: int) -> Value:
        """The last stage's result to logits (num_classes,)."""
        x = pooled(b, x, self.norm)
        return b.layer("head", Linear(x.channels, num_classes), x)
