"""The spec of a network, format 1."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from efspec.blocks import BLOCKS, DOWNSAMPLES, HEADS, STEMS
from efspec.blocks.distilled_head import DistilledHeadSpec
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.options import (
    Act,
    BlockSpec,
    DownsampleSpec,
    Expected,
    Items,
    LayerScale,
    Part,
    Rate,
    StemSpec,
    Width,
)
from efspec.spec.between import Outline, conflicts
from efspec.spec.source_map import SourceMap

FORMAT = 1
MIN_SIZE = 32
MAX_SIZE = 8192
MAX_CHANNELS = 64
MAX_STAGES = 64
MAX_ENTRIES = 1024
MAX_DESCRIPTION = 500
SEVERAL: Final = "several-mistakes"
"""Type of the pydantic error that stands for the `mistakes` in its context; nobody sees it."""

AnyBlock = Annotated[BlockSpec, BLOCKS]
AnyStem = Annotated[StemSpec, STEMS]
AnyDownsample = Annotated[DownsampleSpec, DOWNSAMPLES]
AnyHead = Annotated[LinearHeadSpec | DistilledHeadSpec | FeaturesHeadSpec, HEADS]


def _one_or_pair(value: object) -> str:
    return "pair" if isinstance(value, list | tuple) else "one"


def _rate_or_schedule(value: object) -> str:
    return "schedule" if isinstance(value, dict | LinearSchedule) else "rate"


Side = Annotated[
    int, Field(ge=MIN_SIZE, le=MAX_SIZE), Expected(f"an integer from {MIN_SIZE} to {MAX_SIZE:,}")
]
Sides = Annotated[Items[Side], Field(min_length=2, max_length=2)]


def _known_format(value: int) -> int:
    if value != FORMAT:  # a literal type would take `true` and 1.0, too
        raise PydanticCustomError(
            "unsupported-format",
            "this release does not know format {value}",
            {"value": value, "fix": f"set `efspec: {FORMAT}`, or use a release that knows it"},
        )
    return value


FormatNumber = Annotated[
    int,
    AfterValidator(_known_format),
    Field(json_schema_extra={"const": FORMAT}),
    Expected(f"{FORMAT}, the format that this release reads"),
]
"""The version of the format of a file."""


class InputSpec(Part):
    """The image that the network takes."""

    size: Annotated[
        Annotated[Side, Tag("one")] | Annotated[Sides, Tag("pair")],
        Discriminator(_one_or_pair),
        Expected(f"one integer from {MIN_SIZE} to {MAX_SIZE:,}, or [height, width]"),
    ]
    """Height and width in pixels: one number for both, or [height, width]."""
    channels: Annotated[
        int, Field(ge=1, le=MAX_CHANNELS), Expected(f"an integer from 1 to {MAX_CHANNELS}")
    ] = 3
    """Channels of the image."""

    @property
    def height_width(self) -> tuple[int, int]:
        """Height and width in pixels."""
        if isinstance(self.size, int):
            return self.size, self.size
        height, width = self.size
        return height, width


class LinearSchedule(Part):
    """Drop-path rates that rise linearly from 0 at the first block of the network."""

    linear: Rate
    """Rate of the last block."""


class Defaults(Part):
    """What blocks, stems and downsamples use unless they say otherwise."""

    act: Act = "gelu"
    """Activation."""
    layer_scale: LayerScale = 1e-5
    """Initial value of the layer scale, or null for none."""
    drop_path: Annotated[
        Annotated[Rate, Tag("rate")] | Annotated[LinearSchedule, Tag("schedule")],
        Discriminator(_rate_or_schedule),
        Expected("a number from 0, below 1, or {linear: rate of the last block}"),
    ] = 0.0
    """Probability of dropping a residual branch in training, or a linear schedule of it."""


class StageSpec(Part):
    """Blocks of one width and resolution."""

    width: Width
    """Channels of every block of the stage."""
    downsample: Annotated[
        AnyDownsample | None,
        Expected("a mapping with `type`: conv, attention; or null for none"),
    ] = None
    """What leads from the previous stage to this one; a stage without one keeps its width."""
    blocks: Annotated[
        Items[AnyBlock],
        Field(min_length=1, max_length=MAX_ENTRIES),
        Expected(f"a list of 1 to {MAX_ENTRIES:,} blocks"),
    ]
    """The blocks, in order."""


class NetworkSpec(Part):
    """A network, as its spec file says it."""

    efspec: FormatNumber
    """Version of the format of this file."""
    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$"),
        Expected("a letter, then letters, digits, `_`, `.` or `-`; at most 64 in all"),
    ]
    """Name of the network; its class and its files are called after it."""
    description: Annotated[
        str,
        Field(max_length=MAX_DESCRIPTION),
        Expected(f"one line of at most {MAX_DESCRIPTION} characters"),
    ] = ""
    """One line about the network."""
    input: Annotated[InputSpec, Expected("a mapping such as {size: 224}")]
    """The image that the network takes."""
    defaults: Defaults = Defaults.model_construct()
    """What blocks, stems and downsamples use unless they say otherwise."""
    stem: AnyStem
    """Image to the first map."""
    stages: Annotated[
        Items[StageSpec],
        Field(min_length=1, max_length=MAX_STAGES),
        Expected(f"a list of 1 to {MAX_STAGES} stages"),
    ]
    """The stages, in order."""
    head: AnyHead
    """Last stage's result to logits, or chosen stages' results to maps."""

    _source_map: SourceMap | None = PrivateAttr(None)

    @property
    def source_map(self) -> SourceMap | None:
        """Where the fields were written; None for a spec that was made in Python."""
        return self._source_map

    def __eq__(self, other: object) -> bool:
        # Pydantic would compare where the two were read from, too.
        return isinstance(other, NetworkSpec) and self.__dict__ == other.__dict__

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise PydanticCustomError(
                "bad-text", "it holds a line break or a character that cannot be printed"
            )
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> NetworkSpec:
        widths, blocks = [], 0
        for stage in self.stages:
            widths.append((stage.width, stage.downsample is None))
            for block in stage.blocks:
                blocks += block.repeat
        wanted = self.head.stages if isinstance(self.head, FeaturesHeadSpec) else ()
        outline = Outline(self.stem.width, widths, blocks, wanted)
        if conflicts(outline):  # `further_mistakes` tells which, here as where fields are wrong
            raise PydanticCustomError(SEVERAL, "the parts do not fit", {"mistakes": []})
        return self
