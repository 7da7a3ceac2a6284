"""What a search can do to a candidate: the smallest steps to a smaller one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from efspec.record import Record
from efspec.spec.candidates import Candidate, StageChoice
from efspec.spec.space import SpaceSpec, StageSpace

Number = TypeVar("Number", int, float)
Kind = Literal["depth", "attention", "width", "expansion"]


class Action(Record):
    """A step from a candidate to a smaller one.

    Attributes:
        kind: What it makes smaller.
        stage: Of which stage.
        block: Of which block; None where it is of the stage.
        result: What it leads to.
    """

    kind: Kind
    stage: int
    block: int | None
    result: Candidate

    def __str__(self) -> str:
        where = f"stage {self.stage}" + ("" if self.block is None else f", block {self.block}")
        return f"{self.kind} of {where}"


def actions(space: SpaceSpec, candidate: Candidate) -> Iterator[Action]:
    """All steps that a candidate can take, in the order of the network.

    Depth: a stage loses its last block without attention, which is how its supernet shrinks; as
    many blocks have attention as before, or as many as there still may be. Attention: the first
    block with attention loses it, down to the next number that the space has. Width: a stage's next
    smaller one. Expansion: a block's next smaller ratio.
    """
    for i, (stage, choice) in enumerate(zip(space.stages, candidate.stages, strict=True)):
        shallower = shorter(stage, choice)
        if shallower:
            yield Action("depth", i, None, _with(candidate, i, shallower))
        plainer = with_less_attention(stage, choice)
        if plainer:
            yield Action("attention", i, None, _with(candidate, i, plainer))
        result = narrower(space, candidate, i)
        if result:
            yield Action("width", i, None, result)
        for block, ratio in enumerate(choice.expansion_ratio):
            smaller = _before(stage.expansion_ratio, ratio)
            if smaller is not None:
                ratios = list(choice.expansion_ratio)
                ratios[block] = smaller
                changed = choice.replaced(expansion_ratio=tuple(ratios))
                yield Action("expansion", i, block, _with(candidate, i, changed))


def shorter(stage: StageSpace, choice: StageChoice) -> StageChoice | None:
    """The choice with the next smaller depth; None where it is the smallest."""
    depth = _before(stage.depth, choice.depth)
    if depth is None:
        return None
    fitting = [m for n, m in stage.depths() if n == depth and m <= choice.attention_depth]
    if not fitting:
        return None
    ratios = choice.expansion_ratio[:depth]
    return choice.replaced(depth=depth, attention_depth=max(fitting), expansion_ratio=ratios)


def with_less_attention(stage: StageSpace, choice: StageChoice) -> StageChoice | None:
    """The choice with fewer blocks with attention, by one step; None where there are none fewer."""
    fewer = [m for n, m in stage.depths() if n == choice.depth and m < choice.attention_depth]
    return choice.replaced(attention_depth=max(fewer)) if fewer else None


def narrower(space: SpaceSpec, candidate: Candidate, i: int) -> Candidate | None:
    """The candidate with a stage's next smaller width; None where it is the smallest."""
    choice = candidate.stages[i]
    width = _before(space.stages[i].width, choice.width)
    return None if width is None else _with(candidate, i, choice.replaced(width=width))


def _with(candidate: Candidate, i: int, choice: StageChoice) -> Candidate:
    stages = list(candidate.stages)
    stages[i] = choice
    return Candidate(tuple(stages))


def _before(values: Sequence[Number], value: Number) -> Number | None:
    """The next smaller value of a rising sequence."""
    smaller = [v for v in values if v < value]
    return max(smaller) if smaller else None
