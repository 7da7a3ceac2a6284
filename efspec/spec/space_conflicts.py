"""Mistakes between the parts of a search space, each of which may be right by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import ValidationError

from efspec.blocks.options import counted
from efspec.errors import Diagnostic
from efspec.spec.alike import has_ratios, kind_meant
from efspec.spec.between import MAX_BLOCKS
from efspec.spec.fields import follow
from efspec.spec.source_map import Mistake

if TYPE_CHECKING:
    from efspec.spec.space import SpaceSpec

_NO_OTHER_BLOCK = Diagnostic(
    "conflicting-options",
    "it means the same as `block`: nothing tells one from the other",
    expected="a block of another type, or with other options",
    fix="leave out `attention` and `attention_depth`",
)
_NO_DOWNSAMPLE = Diagnostic(
    "width-mismatch",
    "the stage before has other widths, and there is no downsample between them",
    fix="add a `downsample`",
)
_OPEN_TWICE = Diagnostic(
    "width-mismatch",
    "a stage without a downsample keeps the width of the one before, which is open",
    fix="add a `downsample`",
)


def conflicts(space: SpaceSpec) -> list[Mistake]:
    """What is wrong between the parts, each time with the field to change."""
    found = _of_stem(space), _of_depths(space), _of_blocks(space), _of_widths(space)
    return list(chain.from_iterable(found))


def _of_stem(space: SpaceSpec) -> Iterator[Mistake]:
    """The first stage's widths are those of the stem, too."""
    kind = type(space.stem)
    for k, width in enumerate(space.stages[0].width):
        try:
            kind.model_validate({**vars(space.stem), "width": width})
        except ValidationError:
            message = f"the stem `{space.stem.type}` cannot have {counted(width, 'channel')}"
            expected = follow(("width",), kind).expected
            yield ("stages", 0, "width", k), Diagnostic("out-of-range", message, expected=expected)


def _of_depths(space: SpaceSpec) -> Iterator[Mistake]:
    """Depths add up: the number of blocks in all has a limit of its own."""
    count = sum(stage.depth[-1] for stage in space.stages)
    if count > MAX_BLOCKS:
        mistake = Diagnostic(
            name="too-many-blocks",
            message=f"up to {count:,} blocks in all",
            expected=f"at most {MAX_BLOCKS:,}, with every stage as deep as it may be",
            fix="lower the stages' `depth`",
        )
        yield ("stages",), mistake


def _of_blocks(space: SpaceSpec) -> Iterator[Mistake]:
    """A network has to tell how many blocks have attention, and which ratio each has."""
    for i, stage in enumerate(space.stages):
        kind = kind_meant(stage.block, space.defaults)
        if stage.attention and kind_meant(stage.attention, space.defaults) == kind:
            yield ("stages", i, "attention"), _NO_OTHER_BLOCK
        for block in (stage.block, stage.attention):
            if block and not has_ratios(block) and len(stage.expansion_ratio) > 1:
                mistake = Diagnostic(
                    "conflicting-options",
                    f"blocks of the type `{block.type}` have no expansion ratio of their own",
                    expected="one ratio at most, for the stage's other blocks",
                    fix="leave it out",
                )
                yield ("stages", i, "expansion_ratio"), mistake


def _of_widths(space: SpaceSpec) -> Iterator[Mistake]:
    """Stages without a downsample cannot change the width."""
    for i, stage in enumerate(space.stages):
        if i and not stage.downsample:
            if stage.width != space.stages[i - 1].width:
                yield ("stages", i, "width"), _NO_DOWNSAMPLE
            if len(stage.width) > 1:
                yield ("stages", i, "width"), _OPEN_TWICE
