"""What candidates cost, by the million: look-ups in tables of stages, added up.

A stage's figures follow from what comes before it, from its width and depth, and from the ratio of
each block. They are counted once per choice, by the very pieces that specs are scored with, and
summed up in tables: one look-up gives the figures of several blocks at once.

Shapes: N candidates, S stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from efspec.batch.pieces import Piece, Place, latency_of
from efspec.batch.summary import Counter
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.cost import LatencySource, Mes, bytes_of
from efspec.cost.latency import NS_PER_MS
from efspec.record import Node
from efspec.search.arrays import Candidates, Layout, layouts
from efspec.spec.candidates import member, part_specs, smallest
from efspec.spec.resolve import resolve
from efspec.spec.space import SpaceSpec

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ADDED = ("params", "params_folded", "macs", "latency_ns")
"""Figures that add up, in the order of the tables' columns."""
CHUNK_BITS = 8
"""Bits of the ratios that one look-up takes: tables have to stay in the processor's cache."""
BLOCK = 1 << 15
"""How many candidates are counted at a time, for the same reason."""


class Figures(Node):
    """Figures of candidates.

    Attributes:
        params: Trainable parameters (N,).
        params_folded: Parameters without batch-norm affines and layer scales (N,).
        macs: Multiply-accumulates (N,).
        latency_ms: Milliseconds (N,), or None without a latency source.
        mes: Mobile Efficiency Score (N,), or what the space makes of its metrics; None where one
            of these is not known.
        activation_bytes_peak: Largest memory of activations (N,), or None if it was not asked for.
    """

    params: Integers
    params_folded: Integers
    macs: Integers
    latency_ms: Floats | None
    mes: Floats | None
    activation_bytes_peak: Integers | None

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The figures that are known, by name."""
        pairs = zip(self.fields, self.values(), strict=True)
        return {name: values for name, values in pairs if values is not None}


class StageTable(Node):
    """What a stage costs, by what comes before it, its choices and its blocks' ratios.

    Attributes:
        added: Figures that add up, for each part of the ratios (rows, 4).
        peaks: Elements of activations, for each part of the ratios (rows,).
        shifts: Where each part of the ratios begins, in bits.
        bits: Bits of each part of the ratios.
        choices: How many widths, and how many depths.
        state: What the stage leaves to the next one, by its width and depth.
    """

    added: tuple[Integers, ...]
    peaks: tuple[Integers, ...]
    shifts: tuple[int, ...]
    bits: tuple[int, ...]
    choices: tuple[int, int]
    state: npt.NDArray[np.intp]


class CompiledSpace(Node):
    """A space whose members are counted by look-ups.

    Attributes:
        space: The space.
        tables: A table for each stage.
        fixed_ns: Nanoseconds that every network takes beside its parts; None without a source.
        mes: How size and latency become one figure.
    """

    space: SpaceSpec
    tables: tuple[StageTable, ...]
    fixed_ns: int | None
    mes: Mes | None

    def figures(self, candidates: Candidates, *, peak: bool = False) -> Figures:
        """The figures of candidates, equal to those of their plans.

        Args:
            candidates: Members of the space.
            peak: Whether the memory of activations is wanted, too.
        """
        count = len(candidates)
        added = np.empty((count, len(ADDED)), np.int64)
        peaks = np.zeros(count if peak else 0, np.int64)
        for start in range(0, count, BLOCK):
            some = slice(start, start + BLOCK)
            self._count(candidates[some], added[some], peaks[some] if peak else None)
        params, params_folded, macs, ns = (np.ascontiguousarray(c) for c in added.T)
        latency = None if self.fixed_ns is None else (ns + self.fixed_ns) / NS_PER_MS
        bytes_peak = bytes_of(1) * peaks if peak else None
        known = Figures(params, params_folded, macs, latency, None, bytes_peak)
        return known.replaced(mes=self._mes(known.columns()))

    def _count(self, some: Candidates, added: Integers, peaks: Integers | None) -> None:
        state: npt.NDArray[np.intp] = np.zeros(len(some), np.intp)
        added[:] = 0
        for i, table in enumerate(self.tables):
            widths, depths = table.choices
            choice = some.width[:, i].astype(np.intp) * depths + some.depth[:, i]
            row = state * (widths * depths) + choice
            for rows, high, shift, bits in zip(
                table.added, table.peaks, table.shifts, table.bits, strict=True
            ):
                part = (some.ratios[:, i] >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
                index = (row << bits) | part.astype(np.intp)
                added += rows.take(index, axis=0)
                if peaks is not None:
                    np.maximum(peaks, high.take(index), out=peaks)
            state = table.state.take(choice)

    def _mes(self, known: dict[str, npt.NDArray[Any]]) -> Floats | None:
        """The score of each candidate; None where one of its metrics is not known."""
        if self.mes is None or not self.mes.terms.keys() <= known.keys():
            return None
        score: Floats = np.full(len(known["params"]), self.mes.score)
        for name, term in self.mes.terms.items():
            score *= (known[name] / term.unit) ** term.exponent
        return score


def compiled(
    space: SpaceSpec, source: LatencySource | None = None, mes: Mes | None = None
) -> CompiledSpace:
    """A space whose members are counted by look-ups.

    Args:
        space: The space.
        source: Where latencies come from; without one, latency and MES stay unknown.
        mes: How size and latency become one figure.

    Raises:
        EfspecError: When members cannot be, or the source cannot say how long one takes.
    """
    numbered = layouts(space)
    fixed = None
    if source:
        for spec in part_specs(space):  # tells all that is missing, and where
            fixed = source(resolve(spec)).fixed
    return CompiledSpace(
        space=space,
        tables=tuple(_tables(space, numbered, source)),
        fixed_ns=None if source is None else fixed.ns if fixed else 0,
        mes=mes,
    )


def _tables(
    space: SpaceSpec, numbered: tuple[Layout, ...], source: LatencySource | None
) -> Iterator[StageTable]:
    assert not isinstance(space.head, FeaturesHeadSpec)  # spaces are of classifiers
    counter = Counter(member(space, smallest(space)), space.head)
    places: list[Place] | None = None
    for i, layout in enumerate(numbered):
        is_last = i == len(numbered) - 1
        table = _Table(layout, 1 if places is None else len(places))
        ends: dict[Place, int] = {}
        state = np.zeros(len(layout.stage.width) * len(layout.depths), np.intp)
        for before, place in enumerate(places or [None]):
            for w, width in enumerate(layout.stage.width):
                for d, (depth, attention) in enumerate(layout.depths):
                    first: list[Piece] = []
                    if place is None:
                        stem = space.stem.model_copy(update={"width": width})
                        first.append(counter.stem(stem))
                    if layout.stage.downsample:
                        at = first[-1].behind if first else place
                        assert at is not None
                        first.append(counter.downsample(layout.stage.downsample, width, at))
                    at = first[-1].behind if first else place
                    assert at is not None
                    slots, end = _slots(counter, layout, width, (depth, attention), at)
                    last = [counter.head(end)] if is_last else []
                    table.fill((before, w, d), [*first, *last], slots, source)
                    state[w * len(layout.depths) + d] = ends.setdefault(end, len(ends))
        places = list(ends)
        yield table.made(state)


def _slots(
    counter: Counter, layout: Layout, width: int, depth: tuple[int, int], place: Place
) -> tuple[list[list[Piece]], Place]:
    """For each block of a stage, its piece with each ratio; and where the stage ends."""
    blocks, attention = depth
    slots: list[list[Piece]] = []
    for number in range(blocks):
        entry = layout.stage.block if number < blocks - attention else layout.stage.attention
        assert entry is not None  # a stage without attention has no such blocks
        found = [
            counter.blocks(entry.model_copy(update={"expansion_ratio": ratio}), width, place)[0]
            for ratio in layout.stage.expansion_ratio
        ]
        slots.append(found)
        place = found[0].behind  # ratios change no shape
    return slots, place


class _Table:
    """A stage's table while it is filled."""

    def __init__(self, layout: Layout, states: int) -> None:
        self._layout = layout
        self._choices = (len(layout.stage.width), len(layout.depths))
        per_part = max(1, CHUNK_BITS // max(layout.bits, 1))  # blocks in a part of the ratios
        most = max(layout.stage.depth)
        self._parts = [range(i, min(i + per_part, most)) for i in range(0, most, per_part)]
        rows = states * self._choices[0] * self._choices[1]
        sizes = [rows << (len(part) * layout.bits) for part in self._parts]
        self._added = [np.zeros((size, len(ADDED)), np.int64) for size in sizes]
        self._peaks = [np.zeros(size, np.int64) for size in sizes]

    def fill(
        self,
        choice: tuple[int, int, int],
        once: list[Piece],
        slots: list[list[Piece]],
        source: LatencySource | None,
    ) -> None:
        """Fill in the rows of a choice: what is there once, and each block with each ratio."""
        before, width, depth = choice
        row = (before * self._choices[0] + width) * self._choices[1] + depth
        bits = self._layout.bits
        for part, added, peaks in zip(self._parts, self._added, self._peaks, strict=True):
            size = 1 << (len(part) * bits)
            mine = slice(row * size, (row + 1) * size)
            codes = np.arange(size)
            if part.start == 0:
                for piece in once:
                    added[mine] += _row(piece, source)
                    np.maximum(peaks[mine], piece.peak, out=peaks[mine])
            for block in part:
                if block >= len(slots):
                    continue
                digits = (codes >> ((block - part.start) * bits)) & ((1 << bits) - 1)
                # Codes of ratios that there are not are never asked for.
                digits = np.minimum(digits, len(slots[block]) - 1)
                added[mine] += np.array([_row(p, source) for p in slots[block]])[digits]
                highest = np.array([p.peak for p in slots[block]])[digits]
                np.maximum(peaks[mine], highest, out=peaks[mine])

    def made(self, state: npt.NDArray[np.intp]) -> StageTable:
        """The table."""
        bits = self._layout.bits
        return StageTable(
            added=tuple(self._added),
            peaks=tuple(self._peaks),
            shifts=tuple(part.start * bits for part in self._parts),
            bits=tuple(len(part) * bits for part in self._parts),
            choices=self._choices,
            state=state,
        )


def _row(piece: Piece, source: LatencySource | None) -> tuple[int, int, int, int]:
    ns = sum(block.ns for block in latency_of(piece.module, source).blocks) if source else 0
    return piece.params, piece.params_folded, piece.macs, ns
