"""What every foreign description comes down to, and the spec that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.attention_downsample import AttentionDownsampleSpec
from efspec.blocks.attn_ffn import AttnFFNSpec
from efspec.blocks.mb3d import MB3DSpec
from efspec.blocks.options import Act, LayerScale, Part, Rate, counted
from efspec.errors import Diagnostic
from efspec.importers.arguments import Counts, Depths, Flags, Size, StageRatios, Widths
from efspec.spec.schema import FORMAT, SEVERAL
from efspec.spec.source_map import Mistake

Family = Literal["v1", "v2"]

FIRST_ATTENTION = 2
"""V2's first stage that may attend; in V1 only the last one may."""
STRIDED_ATTENTION = 2
"""V2's stage that attends at half its resolution."""
ATTENTION_DOWNSAMPLE = 3
"""V2's first stage that attention leads to."""


class Outline(Part):
    """A network of one of the two families, by the numbers in which those differ."""

    family: Family
    widths: Widths
    depths: Depths
    ratios: StageRatios
    attention: Counts
    """How many blocks attend, the last ones of a stage: in each that may, or in every stage."""
    downsamples: Flags | None
    """Whether each stage begins with a downsample; by default all but the first do."""
    act: Act
    layer_scale: LayerScale
    drop_path: Rate
    pool_size: int
    size: Size
    channels: int
    classes: int
    distilled: bool

    @model_validator(mode="after")
    def _lists_fit(self) -> Outline:
        mistakes = list(_length_mistakes(self))
        if mistakes:
            raise PydanticCustomError(SEVERAL, "the lists do not fit", {"mistakes": mistakes})
        return self

    def attending(self) -> tuple[int, ...]:
        """How many blocks of each stage attend."""
        stages, wanted = len(self.depths), self.attention
        if isinstance(wanted, int):
            first = stages - 1 if self.family == "v1" else FIRST_ATTENTION
            wanted = tuple(wanted if i >= first else 0 for i in range(stages))
        return tuple(min(pair) for pair in zip(wanted, self.depths, strict=True))

    def ratios_of_blocks(self) -> tuple[tuple[float, ...], ...]:
        """The expansion ratio of every block, by stage."""
        ratios = (
            self.ratios if isinstance(self.ratios, tuple) else (self.ratios,) * len(self.depths)
        )
        return tuple(
            own if isinstance(own, tuple) else (own,) * depth
            for own, depth in zip(ratios, self.depths, strict=True)
        )


def _length_mistakes(outline: Outline) -> Iterator[Mistake]:
    stages = len(outline.widths)
    for field in ("depths", "ratios", "attention", "downsamples"):
        value = getattr(outline, field)
        if isinstance(value, tuple) and len(value) != stages:
            yield (field,), _wrong_length(len(value), stages, "stage", "as many as widths")
    if isinstance(outline.ratios, tuple):
        for i, (own, depth) in enumerate(zip(outline.ratios, outline.depths, strict=False)):
            if isinstance(own, tuple) and len(own) != depth:
                expected = f"one number, or as many as the stage's depth, {depth}"
                yield ("ratios", i), _wrong_length(len(own), depth, "block", expected)


def _wrong_length(found: int, wanted: int, each: str, expected: str) -> Diagnostic:
    message = f"{counted(found, 'value')} for {counted(wanted, each)}"
    return Diagnostic(name="wrong-length", message=message, expected=expected)


def spec_fields(outline: Outline, name: str) -> dict[str, Any]:
    """The fields of the spec of an outline."""
    stages = [
        _stage(outline, i, width, ratios, attending)
        for i, (width, ratios, attending) in enumerate(
            zip(outline.widths, outline.ratios_of_blocks(), outline.attending(), strict=True)
        )
    ]
    stem: dict[str, Any] = {"type": "conv_stem", "width": outline.widths[0]}
    if outline.family == "v1":
        stem["act"] = "relu"  # V1's stem has it whatever the blocks have
    drop_path = {"linear": outline.drop_path} if outline.drop_path else 0.0
    return {
        "efspec": FORMAT,
        "name": name,
        "input": {"size": outline.size, "channels": outline.channels},
        "defaults": {
            "act": outline.act,
            "layer_scale": outline.layer_scale,
            "drop_path": drop_path,
        },
        "stem": stem,
        "stages": stages,
        "head": {
            "type": "distilled" if outline.distilled else "linear",
            "classes": outline.classes,
        },
    }


def _stage(
    outline: Outline, i: int, width: int, ratios: tuple[float, ...], attending: int
) -> dict[str, Any]:
    """The fields of one stage."""
    stage: dict[str, Any] = {"width": width}
    if outline.downsamples[i] if outline.downsamples else i > 0:
        attends = outline.family == "v2" and i >= ATTENTION_DOWNSAMPLE
        stage["downsample"] = {"type": "attention" if attends else "conv"}
    local = len(ratios) - attending
    blocks: list[dict[str, Any]] = []
    if local:
        pool = {"pool_size": outline.pool_size} if outline.family == "v1" else {}
        kind = "mb4d" if outline.family == "v1" else "ffn"
        blocks.append({"type": kind, **pool, **_repeats(ratios[:local])})
    if attending:
        strided = outline.family == "v2" and i == STRIDED_ATTENTION
        kind = "mb3d" if outline.family == "v1" else "attn_ffn"
        stride = {"stride": 2} if strided else {}
        blocks.append({"type": kind, **stride, **_repeats(ratios[local:])})
    stage["blocks"] = blocks
    return stage


def _repeats(ratios: tuple[float, ...]) -> dict[str, Any]:
    """A block's repeat, and its ratio: one number where all are equal."""
    ratio = ratios[0] if len(set(ratios)) == 1 else list(ratios)
    return {"repeat": len(ratios), "expansion_ratio": ratio}


def fixed_options(outline: Outline) -> Iterator[tuple[str, str]]:
    """What no description says, because the family's code fixes it: what it is of, and what."""
    act = "relu" if outline.family == "v1" else outline.act
    yield "stem", f"two 3x3 convolutions of stride 2, {act}"
    if any(outline.attending()):
        block = MB3DSpec if outline.family == "v1" else AttnFFNSpec
        yield "attention", _heads(block())
    if outline.family == "v2" and len(outline.widths) > STRIDED_ATTENTION:
        yield "stride attention", f"in stage {STRIDED_ATTENTION}"
    if outline.family == "v2" and len(outline.widths) > ATTENTION_DOWNSAMPLE:
        heads = _heads(AttentionDownsampleSpec())
        yield "attention downsample", f"from stage {ATTENTION_DOWNSAMPLE} on, {heads}"


def _heads(part: MB3DSpec | AttnFFNSpec | AttentionDownsampleSpec) -> str:
    return f"{part.num_heads} heads, key_dim {part.key_dim}, attn_ratio {part.attn_ratio:g}"
