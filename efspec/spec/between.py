"""Mistakes between the parts of a spec, each of which may be right by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from efspec.blocks.options import counted
from efspec.errors import Diagnostic
from efspec.spec.source_map import Mistake

MAX_BLOCKS = 4096


class Outline(NamedTuple):
    """What parts of a spec have to agree on.

    Attributes:
        stem_width: Channels that the stem gives; None when they cannot be read.
        stages: Width of each stage, None when it cannot be read, and whether the stage is known
            to have no downsample.
        blocks: How many blocks can be read, repeats counted.
        wanted: Stages whose maps the head returns.
    """

    stem_width: int | None
    stages: Sequence[tuple[int | None, bool]]
    blocks: int
    wanted: Sequence[int]


def conflicts(outline: Outline) -> list[Mistake]:
    """What is wrong between the parts, each time with the field to change."""
    found = _of_widths(outline)
    if outline.blocks > MAX_BLOCKS:
        found.append(_too_many_blocks(outline))
    return found + _of_head(outline) if outline.wanted else found


def _of_widths(outline: Outline) -> list[Mistake]:
    """Stages without a downsample cannot change the width."""
    mistakes: list[Mistake] = []
    given = outline.stem_width
    for i, (width, keeps) in enumerate(outline.stages):
        if keeps and width != given and width is not None and given is not None:
            giver = f"stage {i - 1}" if i else "the stem"
            mistake = Diagnostic(
                name="width-mismatch",
                message=f"{width} channels, but {giver} gives {given} "
                "and there is no downsample between",
                expected=f"{given}, or a downsample",
                fix=f"set `width: {given}`, or add `downsample: {{type: conv}}`",
            )
            mistakes.append((("stages", i, "width"), mistake))
        given = width
    return mistakes


def _too_many_blocks(outline: Outline) -> Mistake:
    """Repeats multiply: the number of blocks in all has a limit of its own."""
    mistake = Diagnostic(
        name="too-many-blocks",
        message=f"{counted(outline.blocks, 'block')} in all",
        expected=f"at most {MAX_BLOCKS:,}, repeats counted",
        fix="lower `repeat`",
    )
    return ("stages",), mistake


def _of_head(outline: Outline) -> list[Mistake]:
    """A pyramid can only hold maps of stages that are there."""
    count = len(outline.stages)
    return [
        (
            ("head", "stages", i),
            Diagnostic(
                name="no-such-stage",
                message=f"there is no stage {stage}: "
                f"the network has {counted(count, 'stage')}, counted from 0",
                expected=f"a number from 0 to {count - 1}" if count > 1 else "0",
            ),
        )
        for i, stage in enumerate(outline.wanted)
        if stage >= count
    ]
