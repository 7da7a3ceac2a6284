"""The figures of a spec without its plan, from pieces that specs share.

Candidates of a search differ in which blocks they hold, and in little else: a block of one width,
on a map of one size, comes back in thousands of them. Its figures are kept, and a candidate is
counted by adding up; its plan is never made. What cannot be counted so, a pyramid or a spec that
is wrong, takes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from efspec.blocks.distilled_head import DistilledHeadSpec
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.network import Chain, ClassifierHead
from efspec.blocks.options import BlockSpec, Site
from efspec.cost import Counts, Summary, bytes_of, count_module, peak_elements, score
from efspec.plan import Block, BlockError, Builder, Shape, SizeArg, Value, map_shape, trace
from efspec.spec.dump import drops, spec_hash
from efspec.spec.resolve import MAX_PARAMETERS, resolve
from efspec.spec.schema import NetworkSpec

MAX_KEPT = 65536
"""How many pieces are kept; the published search spaces have a few thousand."""


class Piece(NamedTuple):
    """A stem, downsample, block or head where it stands, with the conversion that it needs.

    Attributes:
        counts: Parameters and multiply-accumulates.
        peak: Elements of activations alive at the worst moment.
        output: Shape of what it gives.
    """

    counts: Counts
    peak: int
    output: Shape


Group = dict[Hashable, Piece]


class Pieces:
    """The pieces that were counted: groups by what repeats share, then by what each has alone."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, Group] = {}
        self._shapes: dict[Shape, Shape] = {}
        self._count = 0

    def group(self, key: Hashable) -> Group:
        """The group of a key."""
        found = self._groups.get(key)
        if found is None:
            self._grow()
            found = self._groups[key] = {}
        return found

    def add(self, group: Group, key: Hashable, block: Block, shape: Shape) -> Piece:
        """Count a block on an input of a shape, and keep the piece in its group.

        Raises:
            BlockError: When the block cannot be there.
        """
        module = trace(Chain(items=(block,)), shape)
        # Equal shapes are one object: whether a shape changes is asked for every block.
        output = self._shapes.setdefault(module.outputs[0].shape, module.outputs[0].shape)
        piece = Piece(count_module(module), peak_elements(module), output)
        self._grow()
        group[key] = piece
        return piece

    def _grow(self) -> None:
        if self._count >= MAX_KEPT:  # to start again is simpler than to choose, and rare
            self._groups.clear()
            self._shapes.clear()
            self._count = 0
        self._count += 1


Times = tuple[int, Piece]
"""How often a piece is there, and the piece."""

_PIECES = Pieces()


class HeadAlone(Block):
    """A classifier's head without its network, to be counted."""

    inline = True

    head: ClassifierHead
    num_classes: SizeArg

    def takes(self) -> Literal["any"]:
        """See `Block.takes`."""
        return "any"

    def forward(self, b: Builder, x: Value) -> Value:
        """The last stage's result to logits (num_classes,)."""
        return self.head.forward(b, x, self.num_classes)


def summarise(spec: NetworkSpec) -> Summary:
    """The figures of a spec, equal to those of its score.

    Raises:
        EfspecError: When its parts do not make a network; holds all mistakes found.
    """
    head = spec.head
    if isinstance(head, FeaturesHeadSpec):  # the network holds on to maps while it goes on
        return score(resolve(spec)).summary()
    params = params_folded = macs = peak = 0
    try:
        for times, piece in _pieces(spec, head):
            counts = piece.counts
            params += times * counts.params
            params_folded += times * counts.params_folded
            macs += times * counts.macs
            if piece.peak > peak:
                peak = piece.peak
    except BlockError:
        return score(resolve(spec)).summary()  # which tells all that is wrong
    if params > MAX_PARAMETERS:
        return score(resolve(spec)).summary()  # likewise
    return Summary(
        name=spec.name,
        input=(spec.input.channels, *spec.input.height_width),
        params=params,
        params_folded=params_folded,
        macs=macs,
        activation_bytes_peak=bytes_of(peak),
        latency_ms=None,
        mes=None,
        hash=spec_hash(spec),
    )


def _pieces(spec: NetworkSpec, head: LinearHeadSpec | DistilledHeadSpec) -> list[Times]:
    """The pieces of a network."""
    act, layer_scale = spec.defaults.act, spec.defaults.layer_scale
    rate = 0.0 if drops(spec) else None  # whether blocks are dropped counts, not how often
    shape = map_shape(spec.input.channels, *spec.input.height_width)
    found: list[Times] = []
    _single(found, (spec.stem, act), shape, lambda: spec.stem.block(act))
    for stage in spec.stages:
        width, downsample = stage.width, stage.downsample
        if downsample:
            make = partial(downsample.block, width, act)
            _single(found, (downsample, width, act), found[-1][1].output, make)
        for entry in stage.blocks:
            shape = found[-1][1].output
            found += _repeats(entry, (width, act, layer_scale, rate), shape)
    alone = partial(HeadAlone, head=head.head(), num_classes=head.classes)
    _single(found, (head,), found[-1][1].output, alone)
    return found


def _single(
    found: list[Times],
    key: tuple[Any, ...],
    shape: Shape,
    make: Callable[[], Block],
) -> None:
    """Add the piece of a part that is there once; the part comes first in the key."""
    part, *site = key
    group = _PIECES.group((type(part), *part.__dict__.values(), *site))
    found.append((1, group.get(shape) or _PIECES.add(group, shape, make(), shape)))


def _repeats(entry: BlockSpec, site: tuple[Any, ...], shape: Shape) -> list[Times]:
    """The pieces of an entry's blocks; in order, where they change the shape.

    Args:
        entry: The entry.
        site: Width, activation, layer scale and drop-path rate, as of a `Site`.
        shape: Shape of the first block's input.
    """
    options = entry.__dict__
    shared_options, own_options = _split(type(entry))
    shared = (type(entry), site, shared_options(options))
    keys = _per_repeat([options[name] for name in own_options], entry.repeat)

    def add(group: Group, key: Hashable, shape: Shape) -> Piece:
        width, *inherited = site
        block = entry.block(Site(width, keys.index(key), *inherited))
        return _PIECES.add(group, key, block, shape)

    found: list[Times] = []
    group = _PIECES.group((shared, shape))
    for key in dict.fromkeys(keys):
        piece = group.get(key) or add(group, key, shape)
        if piece.output is not shape:
            break
        found.append((keys.count(key), piece))
    else:
        return found
    found = []
    for key in keys:
        group = _PIECES.group((shared, shape))
        piece = group.get(key) or add(group, key, shape)
        found.append((1, piece))
        shape = piece.output
    return found


@cache
def _split(entry: type[BlockSpec]) -> tuple[Callable[[Any], Hashable], tuple[str, ...]]:
    """What gets the options that an entry's repeats share, and the names of the others."""
    # How many there are, and how often they are dropped, makes no difference to one of them.
    own = tuple(name for name in entry.per_repeat if name != "drop_path")
    shared = [n for n in entry.model_fields if n not in (*entry.per_repeat, "repeat")]
    return itemgetter(*shared), own


def _per_repeat(values: list[Any], count: int) -> Sequence[Hashable]:
    """The values that each of `count` repeats has of some options."""
    each = [value if type(value) is tuple else (value,) * count for value in values]
    return each[0] if len(each) == 1 else list(zip(*each, strict=True)) or [()] * count
