"""What parts of a network cost where they stand, counted once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from efspec.blocks.network import Chain
from efspec.cost import Latency, LatencySource, count_module, peak_elements
from efspec.plan import Block, Module, Plan, Shape, remembered, trace

MAX_KEPT = 65536
"""How many things are kept; the published search spaces have a few thousand pieces."""


class Piece(NamedTuple):
    """A stem, downsample, block or head where it stands, with the conversion that it needs.

    Attributes:
        params: Trainable parameters.
        params_folded: Parameters without batch-norm affines and layer scales.
        macs: Multiply-accumulates.
        peak: Elements of activations alive at the worst moment.
        behind: Where what follows stands.
        module: What was counted.
    """

    params: int
    params_folded: int
    macs: int
    peak: int
    behind: Place
    module: Module


Group = dict[Hashable, Piece]


class Place:
    """All that takes a value of one shape.

    Attributes:
        shape: The shape.
        pieces: Pieces of parts that are there once.
        groups: Pieces of blocks: by what repeats share, then by what each has alone.
    """

    __slots__ = ("groups", "pieces", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.pieces: Group = {}
        self.groups: dict[Hashable, Group] = {}


class Pieces:
    """The pieces that were counted."""

    def __init__(self) -> None:
        self._places: dict[Shape, Place] = {}
        self._count = 0

    def place(self, shape: Shape) -> Place:
        """The place of a shape; there is one."""
        found = self._places.get(shape)
        if found is None:
            self._grow()
            found = self._places[shape] = Place(shape)
        return found

    def group(self, place: Place, key: Hashable) -> Group:
        """The group of a key."""
        found = place.groups.get(key)
        if found is None:
            self._grow()
            found = place.groups[key] = {}
        return found

    def add(self, place: Place, group: Group, key: Hashable, block: Block) -> Piece:
        """Count a block at a place, and keep the piece in its group.

        Raises:
            BlockError: When the block cannot be there.
        """
        fits = block.takes() in ("any", place.shape.layout)
        module = trace(block if fits else Chain(items=(block,)), place.shape)
        behind = self.place(module.outputs[0].shape)
        piece = Piece(*count_module(module), peak_elements(module), behind, module)
        self._grow()
        group[key] = piece
        return piece

    def _grow(self) -> None:
        if self._count >= MAX_KEPT:  # to start again is simpler than to choose, and rare
            self._places.clear()
            self._count = 0
        self._count += 1


@remembered
def latency_of(module: Module, source: LatencySource) -> Latency:
    """The latency of a piece's module, as if it were a network.

    Raises:
        EfspecError: When the source cannot say.
    """
    block = module.block
    if not block.inline:  # a part of a network has a path there
        module = trace(Chain(items=(block,)), module.inputs[0].shape)
    return source(Plan(name="", description="", hash="", network=module))
