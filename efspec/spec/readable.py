"""What of a wrong spec can be read, and the mistakes that its right parts make together.

Checks that concern several parts need parts that are right. Here each part is read by itself, so
that one which is wrong, and told to be, hides no mistake of the others. What depends on it is left
alone: that would only be told for what is told already.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from efspec.blocks.features_head import StageNumbers
from efspec.blocks.ffn import FFNSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.options import BlockSpec, Items, Width
from efspec.spec.between import MAX_BLOCKS, Outline, conflicts
from efspec.spec.resolve import shape_mistakes
from efspec.spec.schema import (
    FORMAT,
    MAX_ENTRIES,
    MAX_STAGES,
    AnyBlock,
    AnyDownsample,
    AnyHead,
    AnyStem,
    Defaults,
    InputSpec,
    NetworkSpec,
    StageSpec,
)
from efspec.spec.source_map import Mistake


def _read(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


ValueT = TypeVar("ValueT")
IfRight = Annotated[ValueT | None, WrapValidator(_read)]
"""A value, or None where it is missing or wrong."""


class _Stage(BaseModel):
    """A stage, as far as it can be read."""

    model_config = ConfigDict(strict=True, extra="allow")

    width: IfRight[Width] = None
    downsample: IfRight[AnyDownsample] = None
    downsample_as_written: object = Field(None, validation_alias=AliasPath("downsample"))
    blocks: IfRight[Annotated[Items[IfRight[AnyBlock]], Field(max_length=MAX_ENTRIES)]] = None

    @property
    def has_no_downsample(self) -> bool:
        """Whether that is known; it is not where an unknown field may be meant for one."""
        is_written = "downsample_as_written" in self.model_fields_set
        return self.downsample_as_written is None and (is_written or not self.model_extra)


def _type_and_width(stem: object) -> object:
    """What says how wide a stem is, which may be right where its other fields are not."""
    if not isinstance(stem, dict):
        return stem
    return {key: value for key, value in stem.items() if key in ("type", "width")}


class _Spec(BaseModel):
    """A spec, as far as it can be read."""

    model_config = ConfigDict(strict=True, extra="ignore")

    efspec: IfRight[int] = None
    input: IfRight[InputSpec] = None
    defaults: IfRight[Defaults] = None
    stem: IfRight[AnyStem] = None
    narrowed_stem: IfRight[Annotated[AnyStem, BeforeValidator(_type_and_width)]] = Field(
        None, validation_alias=AliasPath("stem")
    )
    stages: IfRight[Annotated[Items[IfRight[_Stage]], Field(max_length=MAX_STAGES)]] = None
    head: IfRight[AnyHead] = None
    head_type: object = Field(None, validation_alias=AliasPath("head", "type"))
    wanted: IfRight[StageNumbers] = Field(None, validation_alias=AliasPath("head", "stages"))


def rebuild() -> None:
    """Read types that were added since, too."""
    _Stage.model_rebuild(force=True)
    _Spec.model_rebuild(force=True)


def further_mistakes(data: object) -> list[Mistake]:
    """The mistakes of a wrong spec that no field makes by itself.

    Args:
        data: The spec as plain values, a mapping.
    """
    spec = _Spec.model_validate(data)
    if spec.efspec not in (FORMAT, None):  # in another format, nothing that seems wrong has to be
        return []
    stages = [stage or _Stage(downsample_as_written=...) for stage in spec.stages or ()]
    blocks = [block for stage in stages for block in stage.blocks or () if block]
    outline = Outline(
        stem_width=spec.narrowed_stem.width if spec.narrowed_stem else None,
        stages=[(stage.width, stage.has_no_downsample) for stage in stages],
        blocks=sum(block.repeat for block in blocks),
        wanted=spec.wanted or () if stages and spec.head_type == "features" else (),
    )
    mistakes = conflicts(outline)
    if spec.input and spec.stem and outline.blocks <= MAX_BLOCKS:
        for loc, _ in mistakes:
            if loc[0] == "stages" and isinstance(loc[1], int):
                stages[loc[1]].width = None  # which of two widths is wrong is not known
        whole = not mistakes and spec.head and stages and all(map(_is_right, stages))
        network = NetworkSpec.model_construct(
            efspec=FORMAT,
            name="",
            input=spec.input,
            stem=spec.stem,
            defaults=spec.defaults or Defaults(),
            stages=tuple(map(_stand_in, stages)),
            head=spec.head or LinearHeadSpec(),
        )
        mistakes += shape_mistakes(network, None if whole else _depth(stages, spec.wanted))
    return mistakes


def _has_shape(stage: _Stage) -> bool:
    """Whether what a stage gives is known; its blocks, right or wrong, change no shape."""
    return bool(stage.width and (stage.downsample or stage.has_no_downsample))


def _is_right(stage: _Stage) -> bool:
    return bool(_has_shape(stage) and stage.blocks and all(stage.blocks))


def _depth(stages: list[_Stage], wanted: tuple[int, ...] | None) -> int:
    """How many stages have a known shape, of those that the head may want."""
    used = stages[: max(wanted) + 1] if wanted else stages
    return next((i for i, stage in enumerate(used) if not _has_shape(stage)), len(used))


def _stand_in(stage: _Stage) -> StageSpec:
    """A stage in which blocks that make no mistake stand for those that are wrong."""
    blocks: tuple[BlockSpec, ...] = ()
    if stage.width:  # without it, none can be made
        blocks = tuple(block or FFNSpec() for block in stage.blocks or ())
    return StageSpec.model_construct(
        width=stage.width or 1, downsample=stage.downsample, blocks=blocks
    )
