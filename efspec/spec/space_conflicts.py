"""Mistakes between the parts of a search space, each of which may be right by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from pydantic import ValidationError

from efspec.blocks.options import StemSpec, counted
from efspec.errors import Diagnostic
from efspec.spec.alike import has_ratios, kind_meant
from efspec.spec.between import MAX_BLOCKS
from efspec.spec.fields import follow
from efspec.spec.schema import Defaults
from efspec.spec.source_map import Mistake

if TYPE_CHECKING:
    from efspec.spec.space import StageSpace

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


def conflicts(
    defaults: Defaults | None, stem: StemSpec | None, stages: Sequence[StageSpace | None]
) -> list[Mistake]:
    """What is wrong between the parts, each time with the field to change.

    Args:
        defaults: The defaults; None, here and below, for what cannot be read.
        stem: The stem.
        stages: The stages.
    """
    found = _of_stem(stem, stages), _of_depths(stages), _of_blocks(defaults, stages)
    return list(chain(*found, _of_widths(stages)))


def _of_stem(stem: StemSpec | None, stages: Sequence[StageSpace | None]) -> Iterator[Mistake]:
    """The first stage's widths are those of the stem, too."""
    if stem is None or not stages or stages[0] is None:
        return
    kind = type(stem)
    for k, width in enumerate(stages[0].width):
        try:
            kind.model_validate({**vars(stem), "width": width})
        except ValidationError:
            message = f"the stem `{stem.type}` cannot have {counted(width, 'channel')}"
            expected = follow(("width",), kind).expected
            yield ("stages", 0, "width", k), Diagnostic("out-of-range", message, expected=expected)


def _of_depths(stages: Sequence[StageSpace | None]) -> Iterator[Mistake]:
    """Depths add up: the number of blocks in all has a limit of its own."""
    count = sum(stage.depth[-1] for stage in stages if stage)
    if count > MAX_BLOCKS:
        mistake = Diagnostic(
            name="too-many-blocks",
            message=f"up to {count:,} blocks in all",
            expected=f"at most {MAX_BLOCKS:,}, with every stage as deep as it may be",
            fix="lower the stages' `depth`",
        )
        yield ("stages",), mistake


def _of_blocks(defaults: Defaults | None, stages: Sequence[StageSpace | None]) -> Iterator[Mistake]:
    """A network has to tell how many blocks have attention, and which ratio each has."""
    for i, stage in enumerate(stages):
        if stage is None:
            continue
        if defaults and stage.attention:
            kind = kind_meant(stage.block, defaults)
            if kind_meant(stage.attention, defaults) == kind:
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


def _of_widths(stages: Sequence[StageSpace | None]) -> Iterator[Mistake]:
    """Stages without a downsample cannot change the width."""
    for i, (before, stage) in enumerate(pairwise(stages), start=1):
        if before and stage and not stage.downsample:
            if stage.width != before.width:
                yield ("stages", i, "width"), _NO_DOWNSAMPLE
            if len(stage.width) > 1:
                yield ("stages", i, "width"), _OPEN_TWICE
