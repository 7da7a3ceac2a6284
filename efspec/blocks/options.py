"""What the parts of a spec have in common: strict models and the types of their fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo
from pydantic import Strict as StrictMode
from pydantic.functional_validators import field_validator
from pydantic_core import PydanticCustomError

from efspec.plan import Block, mistake
from efspec.plan.ops import Activations
from efspec.record import Record

MAX_WIDTH = 65536
MAX_REPEAT = 1024
MAX_RATIO = 64
MAX_CLASSES = 1_000_000


class Expected(Record):
    """What a field takes, in words, for diagnostics."""

    words: str


class Part(BaseModel):
    """Base of every part of a spec: no unknown fields, no guessing of types, no changes."""

    # The network's validator contains all others, so building one per part would be start-up
    # time for nothing; so would reading docstrings, which only the JSON Schema shows.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


ItemT = TypeVar("ItemT")

Items = Annotated[tuple[ItemT, ...], StrictMode(False)]
"""A YAML list, kept as a tuple so that specs stay constant."""


def _one_or_each(value: object) -> str:
    return "each" if isinstance(value, list | tuple) else "one"


def _inherit_or_value(value: object) -> str:
    return "inherit" if value == "inherit" else "null" if value is None else "value"


PerRepeat = Annotated[
    Annotated[ItemT, Tag("one")] | Annotated[Items[ItemT], Tag("each")],
    Discriminator(_one_or_each),
]
"""One value for all repeats of a block, or a list with one value for each."""

Inherit = Annotated[Literal["inherit"], Tag("inherit")]

Width = Annotated[
    int,
    Field(ge=1, le=MAX_WIDTH),
    Expected(f"a number of channels, an integer from 1 to {MAX_WIDTH:,}"),
]
Repeat = Annotated[
    int, Field(ge=1, le=MAX_REPEAT), Expected(f"an integer from 1 to {MAX_REPEAT:,}")
]
Ratio = Annotated[
    float,
    Field(gt=0, le=MAX_RATIO, allow_inf_nan=False),
    Expected(f"a number above 0, up to {MAX_RATIO}"),
]
Ratios = Annotated[
    PerRepeat[Ratio],
    Expected(f"a number above 0, up to {MAX_RATIO}, or a list with one per repeat"),
]
AttentionRatio = Ratio
Heads = Annotated[int, Field(ge=1, le=1024), Expected("an integer from 1 to 1,024")]
KeyDim = Annotated[int, Field(ge=1, le=4096), Expected("an integer from 1 to 4,096")]
Stride = Annotated[int, Field(ge=1, le=2), Expected("1 or 2")]
Flag = Annotated[bool, Expected("true or false")]
Classes = Annotated[
    int, Field(ge=1, le=MAX_CLASSES), Expected(f"an integer from 1 to {MAX_CLASSES:,}")
]
Act = Annotated[Activations, Expected("gelu, relu, relu6, silu or hardswish")]
Gamma = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1000)]
LayerScale = Annotated[Gamma | None, Expected("a number above 0, up to 1,000, or null for none")]
Rate = Annotated[
    float, Field(ge=0, lt=1, allow_inf_nan=False), Expected("a number from 0, below 1")
]

InheritedAct = Annotated[
    Literal[Activations, "inherit"], Expected("gelu, relu, relu6, silu or hardswish")
]
InheritedLayerScale = Annotated[
    Annotated[Gamma, Tag("value")] | Annotated[None, Tag("null")] | Inherit,
    Discriminator(_inherit_or_value),
    Expected("a number above 0, up to 1,000, or null for none"),
]
InheritedDropPath = Annotated[
    Annotated[PerRepeat[Rate], Tag("value")] | Inherit,
    Discriminator(_inherit_or_value),
    Expected("a number from 0, below 1, or a list with one per repeat"),
]


class Site(Record):
    """Where a block is to stand, and what it inherits there.

    Attributes:
        width: Channels of the stage.
        index: Which of the entry's repeats this is, from 0.
        act: The spec's default activation.
        layer_scale: The spec's default initial layer scale; None for no layer scale.
        drop_path: The probability of dropping this block; None when the network never drops.
    """

    width: int
    index: int
    act: Activations
    layer_scale: float | None
    drop_path: float | None


class StemSpec(Part):
    """Base of the types of `stem`."""

    type: str
    width: Width
    """Channels of the result."""

    @abstractmethod
    def block(self, act: Activations) -> Block:
        """The stem, with the spec's default activation."""


class DownsampleSpec(Part):
    """Base of the types of a stage's `downsample`."""

    type: str

    @abstractmethod
    def block(self, width: int, act: Activations) -> Block:
        """The downsample to `width` channels, with the spec's default activation."""


class BlockSpec(Part):
    """Base of the entries of a stage's `blocks`."""

    type: str
    repeat: Repeat = 1
    """How many of these blocks follow each other."""

    per_repeat: ClassVar[tuple[str, ...]] = ()
    """Fields that may hold one value per repeat; no other may hold a list that does."""

    @abstractmethod
    def block(self, site: Site) -> Block:
        """The block at a site.

        Raises:
            BlockError: When the options do not make a block of this width.
        """

    def drop_rate(self, index: int, inherited: float) -> float:
        """The drop-path probability of one repeat; 0 for blocks that cannot be dropped."""
        del index, inherited
        return 0.0

    def drops(self, inherited: float) -> bool:
        """Whether any repeat is ever dropped."""
        return any(self.drop_rate(index, inherited) for index in range(self.repeat))


class ResidualSpec(BlockSpec):
    """Base of entries whose blocks end in a feed-forward part with a residual."""

    per_repeat = ("expansion_ratio", "drop_path")

    expansion_ratio: Ratios = 4.0
    """Hidden channels of the feed-forward part over the stage's width."""
    act: InheritedAct = "inherit"
    """Activation; by default that of `defaults`."""
    layer_scale: InheritedLayerScale = "inherit"
    """Initial value of the layer scale, or null for none; by default that of `defaults`."""
    drop_path: InheritedDropPath = "inherit"
    """Probability of dropping the residual branch in training; by default that of `defaults`."""

    @field_validator(*per_repeat)
    @classmethod
    def _one_per_repeat(cls, value: Any, info: ValidationInfo) -> Any:
        repeat = info.data.get("repeat")
        if isinstance(value, tuple) and repeat is not None and len(value) != repeat:
            raise PydanticCustomError(
                "wrong-length",
                "{found} for {blocks}",
                {
                    "found": counted(len(value), "value"),
                    "blocks": counted(repeat, "block"),
                    "expected": f"one number, or {counted(repeat, 'number')} (repeat is {repeat})"
                    if repeat > 1
                    else "one number (repeat is 1)",
                    "fix": _length_fix(len(value), repeat),
                },
            )
        return value

    def hidden_dim(self, site: Site) -> int:
        """Hidden channels of the feed-forward part, `int(width * ratio)` as published.

        Raises:
            BlockError: When that is none.
        """
        ratio = at(self.expansion_ratio, site.index)
        hidden = int(site.width * ratio)
        if hidden < 1:
            raise mistake(
                "no-channels",
                f"{ratio:g} times {site.width} channels leaves no hidden channel",
                field="expansion_ratio",
                expected=f"a ratio of at least {1 / site.width:g}",
                fix="raise the expansion ratio or the width",
            )
        return hidden

    def common(self, site: Site) -> dict[str, Any]:
        """The options that all residual blocks share, as the block's fields."""
        return {
            "hidden_dim": self.hidden_dim(site),
            "act": resolve_act(self.act, site.act),
            "layer_scale": site.layer_scale if self.layer_scale == "inherit" else self.layer_scale,
            "drop_path": site.drop_path,
        }

    def drop_rate(self, index: int, inherited: float) -> float:
        """See `BlockSpec.drop_rate`."""
        return inherited if self.drop_path == "inherit" else at(self.drop_path, index)

    def drops(self, inherited: float) -> bool:
        """See `BlockSpec.drops`."""
        own = self.drop_path
        return any(own) if isinstance(own, tuple) else bool(inherited if own == "inherit" else own)


def counted(count: int, noun: str) -> str:
    """`1 block` or `2 blocks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _length_fix(count: int, repeat: int) -> str:
    missing = repeat - count
    change = "add" if missing > 0 else "remove"
    fix = f"{change} {counted(abs(missing), 'value')}"
    return f"{fix}, or set `repeat: {count}`" if 1 <= count <= MAX_REPEAT else fix


def at(value: float | Sequence[float], index: int) -> float:
    """The value of one repeat, of a field that holds one value or one per repeat."""
    return value[index] if isinstance(value, Sequence) else value


def resolve_act(own: Activations | Literal["inherit"], inherited: Activations) -> Activations:
    """A part's activation: its own, or the spec's default."""
    return inherited if own == "inherit" else own
