"""Members of a space as arrays: a row for each, and in it the numbers of what is chosen.

Shapes: N candidates, S stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from efspec.errors import fail
from efspec.record import Node
from efspec.spec.candidates import Candidate, StageChoice
from efspec.spec.space import SpaceSpec, StageSpace

Codes = npt.NDArray[np.uint64]
"""Ratios of a stage's blocks by their numbers, those of the first block in the lowest bits."""
Indices = npt.NDArray[np.uint8]
Chosen = slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]

CODE_BITS = 64
DRAWN = 1 << 16
"""How many members are drawn at a time."""


class Layout(Node):
    """How the choices of a stage are numbered.

    Attributes:
        stage: The stage.
    """

    stage: StageSpace

    @cached_property
    def depths(self) -> tuple[tuple[int, int], ...]:
        """Depth and number of blocks with attention, by number."""
        return tuple(self.stage.depths())

    @cached_property
    def bits(self) -> int:
        """Bits of a block's ratio."""
        return (len(self.stage.expansion_ratio) - 1).bit_length()

    @property
    def code_bits(self) -> int:
        """Bits of the ratios of all blocks."""
        return self.bits * max(self.stage.depth)


def layouts(space: SpaceSpec) -> tuple[Layout, ...]:
    """How the choices of each stage are numbered.

    Raises:
        EfspecError: When the ratios of a stage need more bits than there are.
    """
    found = tuple(Layout(stage) for stage in space.stages)
    for i, layout in enumerate(found):
        if layout.code_bits > CODE_BITS:
            raise fail(
                "too-many-choices",
                f"ratios of up to {max(layout.stage.depth)} blocks need {layout.code_bits} bits",
                field=f"stages[{i}]",
                expected=f"at most {CODE_BITS} bits for the ratios of a stage",
                fix="write fewer ratios, or smaller depths",
            )
    return found


class Candidates(Node):
    """Members of a space.

    Attributes:
        width: Number of each stage's width (N, S).
        depth: Number of each stage's depth and attention, as of `Layout.depths` (N, S).
        ratios: Ratios of each stage's blocks (N, S); the bits of blocks that are not there are 0.
    """

    width: Indices
    depth: Indices
    ratios: Codes

    def __len__(self) -> int:
        return len(self.width)

    def __getitem__(
        self, chosen: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]
    ) -> Candidates:
        return Candidates(self.width[chosen], self.depth[chosen], self.ratios[chosen])

    def each(self, space: SpaceSpec) -> Iterator[Candidate]:
        """The candidates one by one."""
        numbered = layouts(space)
        for width, depth, ratios in zip(
            self.width.tolist(), self.depth.tolist(), self.ratios.tolist(), strict=True
        ):
            stages = [
                _choice(layout, w, d, code)
                for layout, w, d, code in zip(numbered, width, depth, ratios, strict=True)
            ]
            yield Candidate(tuple(stages))


def of_each(space: SpaceSpec, candidates: Iterable[Candidate]) -> Candidates:
    """Candidates as arrays; each has to be a member of the space."""
    numbered = layouts(space)
    rows = [
        [_numbers(layout, choice) for layout, choice in zip(numbered, one.stages, strict=True)]
        for one in candidates
    ]
    shape = (len(rows), len(numbered), 3)
    table = np.array(rows, dtype=np.uint64).reshape(shape)
    return Candidates(
        table[:, :, 0].astype(np.uint8), table[:, :, 1].astype(np.uint8), table[:, :, 2].copy()
    )


def samples(space: SpaceSpec, count: int, seed: int) -> Iterator[Candidates]:
    """Random members, as `efspec.spec.candidates.sample` draws one, `DRAWN` at a time.

    Args:
        space: The space.
        count: How many in all; some may be equal.
        seed: The same seed gives the same members, the first ones also if more are drawn.
    """
    for number, start in enumerate(range(0, count, DRAWN)):
        chance = np.random.Generator(np.random.PCG64([seed, number]))
        yield _drawn(space, DRAWN, chance)[: min(DRAWN, count - start)]


def sampled(space: SpaceSpec, count: int, seed: int) -> Candidates:
    """All of what `samples` draws."""
    some = list(samples(space, count, seed)) or [_drawn(space, 0, np.random.default_rng(0))]
    names = Candidates.fields
    return Candidates(*[np.concatenate([getattr(one, name) for one in some]) for name in names])


def _drawn(space: SpaceSpec, count: int, chance: np.random.Generator) -> Candidates:
    numbered = layouts(space)
    width = np.empty((count, len(numbered)), np.uint8)
    depth = np.empty_like(width)
    ratios = np.zeros((count, len(numbered)), np.uint64)
    for i, layout in enumerate(numbered):
        width[:, i] = chance.integers(len(layout.stage.width), size=count, dtype=np.uint8)
        depth[:, i], blocks = _depths(layout, count, chance)
        ratios[:, i] = _codes(layout, blocks, chance)
    return Candidates(width, depth, ratios)


def _depths(
    layout: Layout, count: int, chance: np.random.Generator
) -> tuple[Indices, npt.NDArray[np.int64]]:
    """Numbers of depths, each depth equally likely, and how many blocks they are."""
    by_depth: dict[int, list[int]] = {}
    for number, (depth, _) in enumerate(layout.depths):
        by_depth.setdefault(depth, []).append(number)
    most = max(map(len, by_depth.values()))
    table = np.array([numbers + [0] * (most - len(numbers)) for numbers in by_depth.values()])
    counts = np.array([len(numbers) for numbers in by_depth.values()])
    row = chance.integers(len(by_depth), size=count)
    chosen = table[row, chance.integers(counts[row])]
    return chosen.astype(np.uint8), np.array(list(by_depth))[row]


def _codes(layout: Layout, blocks: npt.NDArray[np.int64], chance: np.random.Generator) -> Codes:
    """Ratios of each block that is there."""
    ratios, bits = len(layout.stage.expansion_ratio), layout.bits
    count = len(blocks)
    mask = (np.uint64(1) << (blocks * bits).astype(np.uint64)) - np.uint64(1)
    if layout.code_bits == CODE_BITS:  # a shift by all bits is none
        mask = np.where(blocks * bits == CODE_BITS, np.uint64(2**CODE_BITS - 1), mask)
    if ratios == 1 << bits:
        code = chance.integers(2**layout.code_bits - 1, size=count, dtype=np.uint64, endpoint=True)
    else:
        code = np.zeros(count, np.uint64)
        for block in range(max(layout.stage.depth)):
            digit = chance.integers(ratios, size=count, dtype=np.uint64)
            code |= digit << np.uint64(block * bits)
    result: Codes = code & mask
    return result


def _choice(layout: Layout, width: int, depth: int, code: int) -> StageChoice:
    stage, bits = layout.stage, layout.bits
    blocks, attention = layout.depths[depth]
    ratios = tuple(
        stage.expansion_ratio[(code >> (block * bits)) & ((1 << bits) - 1)]
        for block in range(blocks)
    )
    return StageChoice(stage.width[width], blocks, attention, ratios)


def _numbers(layout: Layout, choice: StageChoice) -> tuple[int, int, int]:
    stage = layout.stage
    code = 0
    for block, ratio in enumerate(choice.expansion_ratio):
        code |= stage.expansion_ratio.index(ratio) << (block * layout.bits)
    depth = layout.depths.index((choice.depth, choice.attention_depth))
    return stage.width.index(choice.width), depth, code
