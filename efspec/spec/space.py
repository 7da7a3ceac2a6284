"""Search spaces, format 1: specs in which widths, depths and expansion ratios are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from efspec.blocks import BLOCKS
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.options import (
    MAX_RATIO,
    MAX_REPEAT,
    MAX_WIDTH,
    Expected,
    Items,
    Part,
    Ratio,
    Repeat,
    Width,
)
from efspec.blocks.registry import type_name
from efspec.spec.mes import MesSpec
from efspec.spec.schema import (
    MAX_STAGES,
    SEVERAL,
    AnyBlock,
    AnyDownsample,
    AnyHead,
    AnyStem,
    Defaults,
    FormatNumber,
    InputSpec,
)
from efspec.spec.space_conflicts import conflicts

MAX_CHOICES = 256
OPEN_IN_BLOCKS = ("repeat", "expansion_ratio")
"""Fields of blocks that a space leaves open: its stages say what they may be."""

Widths = Annotated[
    Items[Width],
    Field(min_length=1, max_length=MAX_CHOICES),
    Expected(f"a list of numbers of channels from 1 to {MAX_WIDTH:,}, in rising order"),
]
Depths = Annotated[
    Items[Repeat],
    Field(min_length=1, max_length=MAX_CHOICES),
    Expected(f"a list of numbers of blocks from 1 to {MAX_REPEAT:,}, in rising order"),
]
AttentionDepths = Annotated[
    Items[
        Annotated[int, Field(ge=0, le=MAX_REPEAT), Expected(f"an integer from 0 to {MAX_REPEAT:,}")]
    ],
    Field(min_length=1, max_length=MAX_CHOICES),
    Expected(f"a list of numbers of blocks from 0 to {MAX_REPEAT:,}, in rising order"),
]
OpenRatios = Annotated[
    Items[Ratio],
    Field(min_length=1, max_length=MAX_CHOICES),
    Expected(f"a list of numbers above 0, up to {MAX_RATIO}, in rising order"),
]


def _with_a_width(stem: object) -> object:
    """A stem as it is read: with some width, until one is chosen."""
    if not isinstance(stem, dict):
        return stem
    if "width" in stem:
        raise PydanticCustomError(
            "conflicting-options",
            "a stem is as wide as the first stage",
            {"fix": "leave out its `width`"},
        )
    return {**stem, "width": 64}


OpenStem = Annotated[AnyStem, BeforeValidator(_with_a_width)]
OneBlock = Annotated[
    AnyBlock, Expected("a mapping with `type`; how many there are, and their ratios, is open")
]


class StageSpace(Part):
    """A stage of which some things are open. Each of its blocks has a ratio of its own."""

    width: Widths
    """Channels that the stage may have."""
    depth: Depths
    """How many blocks the stage may have, those with attention included."""
    downsample: Annotated[
        AnyDownsample | None,
        Expected("a mapping with `type`: conv, attention; or null for none"),
    ] = None
    """What leads from the previous stage to this one."""
    block: OneBlock
    """The blocks without attention, which come first."""
    attention: Annotated[
        AnyBlock | None, Expected("a mapping with `type`, or null for no attention")
    ] = None
    """The blocks with attention, which come last."""
    attention_depth: AttentionDepths = (0,)
    """How many of the stage's blocks may be those with attention."""
    expansion_ratio: OpenRatios = (4.0,)
    """Ratios that each block may have."""

    @field_validator("width", "depth", "attention_depth", "expansion_ratio")
    @classmethod
    def _rising(cls, value: Sequence[float]) -> Sequence[float]:
        if sorted(set(value)) != list(value):
            wanted = ", ".join(f"{x:g}" for x in sorted(set(value)))
            raise PydanticCustomError(
                "not-in-order",
                "the choices do not rise, or one is there twice",
                {"fix": f"write [{wanted}]"},
            )
        return value

    @field_validator("block", "attention", mode="before")
    @classmethod
    def _leaves_open(cls, value: object) -> object:
        """Refuse what only blocks of a known number can say."""
        wrong = list(_closed(value))
        if wrong:
            raise ValidationError.from_exception_data("block", wrong)
        return value

    @model_validator(mode="after")
    def _attention_fits(self) -> Self:
        if self.attention is None and self.attention_depth != (0,):
            raise PydanticCustomError(
                "conflicting-options",
                "there is no block with attention",
                {"fix": "write `attention`, or leave out `attention_depth`"},
            )
        if self.attention is not None and self.attention_depth == (0,):
            raise PydanticCustomError(
                "conflicting-options",
                "there is a block with attention, and no number of such blocks above 0",
                {"fix": "say in `attention_depth` how many there may be, or leave out `attention`"},
            )
        if not self.depths():
            raise PydanticCustomError(
                "empty-space",
                "no depth holds as few blocks with attention as there may be",
                {"fix": f"write a depth of at least {self.attention_depth[0]}"},
            )
        return self

    def depths(self) -> list[tuple[int, int]]:
        """Each depth with each number of blocks with attention that it holds, in order."""
        return [(n, m) for n in self.depth for m in self.attention_depth if m <= n]


def _closed(block: object) -> Iterator[InitErrorDetails]:
    """The fields of a block, right or wrong, that say what a space leaves open."""
    fields = block.model_dump(exclude_unset=True) if isinstance(block, Part) else block
    if not isinstance(fields, dict):
        return
    per_repeat = next((b.per_repeat for b in BLOCKS if type_name(b) == fields.get("type")), ())
    for name, value in fields.items():
        if name in OPEN_IN_BLOCKS:
            where = "depth" if name == "repeat" else name
            fix = f"leave it out, and write the stage's `{where}`"
            error = PydanticCustomError(
                "conflicting-options",
                "`{name}` is open in a space",
                {"name": name, "expected": "a block without it", "fix": fix},
            )
        elif name in per_repeat and isinstance(value, list | tuple):
            error = PydanticCustomError(
                "wrong-type",
                "it is a list, and how many blocks there are is open in a space",
                {"expected": "one value, for all blocks"},
            )
        else:
            continue
        yield InitErrorDetails(type=error, loc=(name,), input=value)


class Bound(Part):
    """Limits of a metric."""

    min: Annotated[float, Field(allow_inf_nan=False), Expected("a number")] | None = None
    """The least that it may be."""
    max: Annotated[float, Field(allow_inf_nan=False), Expected("a number")] | None = None
    """The most that it may be."""

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError(
                "empty-space", "its least is more than its most", {"expected": "min <= max"}
            )
        return self


class Constraints(Part):
    """What networks have to keep to; a metric that is left out is free."""

    params: Bound | None = None
    """Trainable parameters."""
    params_folded: Bound | None = None
    """Parameters without batch-norm affines and layer scales."""
    macs: Bound | None = None
    """Multiply-accumulates."""
    activation_bytes_peak: Bound | None = None
    """Largest memory of activations."""
    latency_ms: Bound | None = None
    """Milliseconds."""
    mes: Bound | None = None
    """Mobile Efficiency Score, or what `objective` makes of it."""


class SpaceSpec(Part):
    """A search space, as its file says it: networks of one input size that differ in sizes."""

    efspec: FormatNumber
    """Version of the format of this file."""
    name: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,47}$"),
        Expected("a letter, then letters, digits, `_`, `.` or `-`; at most 48 in all"),
    ]
    """Name of the space; its networks are called after it."""
    description: Annotated[
        str, StringConstraints(max_length=500), Expected("a text of up to 500 characters")
    ] = ""
    """One line about the space."""
    input: Annotated[InputSpec, Expected("a mapping such as {size: 224}")]
    """The image that its networks take."""
    defaults: Defaults = Defaults.model_construct()
    """What blocks, stems and downsamples use unless they say otherwise."""
    stem: OpenStem
    """Image to the first map; as wide as the first stage, so that it has no `width`."""
    stages: Annotated[
        Items[StageSpace],
        Field(min_length=1, max_length=MAX_STAGES),
        Expected(f"a list of 1 to {MAX_STAGES} stages"),
    ]
    """The stages, in order."""
    head: Annotated[AnyHead, Expected("a mapping with `type`: linear, distilled")]
    """Last stage's result to logits."""
    constraints: Constraints = Constraints.model_construct()
    """What networks have to keep to."""
    objective: Annotated[MesSpec | None, Expected("what a file of constants of a MES holds")] = None
    """What is to be large; by default the Mobile Efficiency Score of the paper."""

    @field_validator("head")
    @classmethod
    def _classifier(cls, value: Part) -> Part:
        if isinstance(value, FeaturesHeadSpec):
            raise PydanticCustomError(
                "conflicting-options",
                "searches rate classifiers",
                {"fix": "write a classifier; a found network may have any head"},
            )
        return value

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if mistakes := conflicts(self.defaults, self.stem, self.stages):
            raise PydanticCustomError(SEVERAL, "the stages do not fit", {"mistakes": mistakes})
        return self
