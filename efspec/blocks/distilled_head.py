"""The head that both EfficientFormers were trained with."""

from __future__ import annotations

from typing import Literal

from efspec.blocks.classifier import ClassifierSpec, Norm, pooled
from efspec.plan import Builder, Value
from efspec.plan.ops import AverageHeads, Linear
from efspec.record import Record


class DistilledHeadSpec(ClassifierSpec):
    """Norm, global average and two linear layers, of which one learns from a teacher."""

    type: Literal["distilled"] = "distilled"

    def head(self) -> DistilledHead:
        """The head."""
        return DistilledHead(norm=self.norm)


class DistilledHead(Record):
    """Two linear layers on the averaged features: averaged at inference, both in training.

    References:
        https://arxiv.org/abs/2012.12877
    """

    norm: Norm | Literal["auto"]

    def forward(self, b: Builder, x: Value, num_classes: int) -> Value:
        """The last stage's result to logits (num_classes,)."""
        x = pooled(b, x, self.norm)
        logits = b.layer("head", Linear(x.channels, num_classes), x, var="logits")
        distilled = b.layer("head_dist", Linear(x.channels, num_classes), x, var="distilled")
        return b.apply(AverageHeads(), logits, distilled)
