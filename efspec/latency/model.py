"""A cost model: how long parts take that nobody measured, from what they ask of a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Expected, Items, Part

UNITS = {"kB": 1_000, "MMAC": 1_000_000, "kilo": 1_000, "head": 1, "op": 1}
"""How many of a feature a coefficient is per."""

Nanoseconds = Annotated[
    float,
    Field(ge=0, le=1e12, allow_inf_nan=False),
    Expected("nanoseconds, a number from 0 to 1e12"),
]
Milliseconds = Annotated[
    float, Field(gt=0, le=1e6, allow_inf_nan=False), Expected("milliseconds, a number above 0")
]
Factor = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False), Expected("a number from 0")]
Count = Annotated[int, Field(ge=0), Expected("an integer from 0")]
Pixels = Annotated[int, Field(ge=1, le=8192), Expected("an integer from 1 to 8,192")]
Words = Annotated[
    str, StringConstraints(max_length=1000), Expected("a text of up to 1,000 characters")
]


class TermSpec(Part):
    """What one feature costs."""

    ns: Nanoseconds
    """Nanoseconds."""
    per: Literal["kB", "MMAC", "kilo", "head", "op"]
    """The unit: 1,000 bytes, a million multiply-accumulates, 1,000 elements, a head, an op."""
    range: (
        Annotated[Items[Nanoseconds], Field(min_length=2, max_length=2), Expected("[least, most]")]
        | None
    ) = None
    """What it may be as well: then, too, no network is missed by more than unseen ones were."""


class PerKilobyte(TermSpec):
    """What bytes cost."""

    per: Literal["kB"]


class PerRoofline(PerKilobyte):
    """What bytes cost, or the multiply-accumulates that take as long."""

    macs_per_byte: Annotated[int, Field(ge=1, le=1_000_000), Expected("an integer from 1")]
    """Multiply-accumulates that take as long as moving a byte."""


class PerMillionMacs(TermSpec):
    """What multiply-accumulates cost."""

    per: Literal["MMAC"]


class PerThousand(TermSpec):
    """What elements of attention matrices cost."""

    per: Literal["kilo"]


class PerHead(TermSpec):
    """What attention heads cost."""

    per: Literal["head"]


class PerOp(TermSpec):
    """What running an op costs, whatever it does."""

    per: Literal["op"]


class TermsSpec(Part):
    """What each feature costs; one that is left out costs nothing."""

    roofline: PerRoofline | None = None
    """Of each op, the longer of moving its bytes and of computing."""
    weights: PerKilobyte | None = None
    """Bytes of parameters."""
    activations: PerKilobyte | None = None
    """Bytes that ops read and write."""
    macs: PerMillionMacs | None = None
    """Multiply-accumulates."""
    dense: PerMillionMacs | None = None
    """Those of convolutions of a window over all channels."""
    depthwise: PerMillionMacs | None = None
    """Those of convolutions in groups."""
    matmul: PerMillionMacs | None = None
    """Those of matrix products."""
    softmax: PerThousand | None = None
    """Elements of attention matrices."""
    wide_heads: PerHead | None = None
    """Attention heads of more than 64 queries."""
    ops: PerOp | None = None
    """Ops that run on their own."""
    reshapes: PerOp | None = None
    """Ops that move numbers and change none."""

    def given(self) -> Iterator[tuple[str, TermSpec]]:
        """The terms that there are, by feature."""
        return ((name, term) for name, term in self if term is not None)

    @property
    def macs_per_byte(self) -> int:
        """That of the roofline; without one it does not matter."""
        return self.roofline.macs_per_byte if self.roofline else 1


class IntervalSpec(Part):
    """How wrong the model was about networks that it had not seen."""

    low: Factor
    """The least that a true latency was, as a multiple of the model's."""
    high: Factor
    """The most that it was."""
    networks: Annotated[int, Field(ge=1), Expected("an integer from 1")]
    """How many networks that was seen on."""

    @model_validator(mode="after")
    def _around_one(self) -> Self:
        if not self.low <= 1 <= self.high:
            raise PydanticCustomError(
                "not-in-order", "the interval leaves out 1", {"expected": "low <= 1 <= high"}
            )
        return self


class DomainSpec(Part):
    """What the networks had that the model was fitted to."""

    ops: Items[Words]
    """Kinds of ops; of others the model says nothing."""
    input: Annotated[
        Items[Pixels], Field(min_length=2, max_length=2), Expected("[smallest, largest]")
    ]
    """Smallest and largest side of their images, in pixels."""
    largest: dict[str, Count]
    """The most of each feature that one part had."""


class ResidualSpec(Part):
    """A network as it was printed and as the model has it."""

    network: Words
    """Name of the network, and its image's size."""
    ms: Milliseconds
    """Milliseconds, as printed."""
    fitted_ms: Factor
    """What the model says."""
    unseen_ms: Factor
    """What was said without its model: without the network, its variants and its other sizes."""


class ErrorsSpec(Part):
    """How wrong the model was about models that it had not seen, at one size of image.

    A model is a network with its variants; of several, the one counts that was missed by most.
    """

    input: Pixels
    """Longer side of the image, in pixels."""
    models: Annotated[int, Field(ge=1), Expected("an integer from 1")]
    """How many models."""
    median: Factor
    """Median of their relative errors, without signs."""
    largest: Factor
    """The largest of them."""


class CostModelSpec(Part):
    """A cost model, fitted to latencies of whole networks."""

    terms: TermsSpec
    """What each feature costs."""
    interval: IntervalSpec
    """How wrong it may be."""
    domain: DomainSpec
    """Where it may be believed."""
    undetermined: Items[Words] = ()
    """What the networks leave open."""
    held_out: Items[ErrorsSpec] = ()
    """How wrong it was about models that it had not seen, by size of image."""
    residuals: Items[ResidualSpec] = ()
    """The networks that it was fitted to."""
    checks: Items[ResidualSpec] = ()
    """Networks that it was not fitted to, and is compared with."""
