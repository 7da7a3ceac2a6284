"""The figures of a spec without its plan, from pieces that specs share.

Candidates of a search differ in which blocks they hold, and in little else: a block of one width,
on a map of one size, comes back in thousands of them. Its figures are kept, and a candidate is
counted by adding up; its plan is never made. What cannot be counted so, a pyramid or a spec that
is wrong, takes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from operator import itemgetter
from typing import Any

from efspec.batch.pieces import Piece, Pieces, Place, latency_of
from efspec.blocks.distilled_head import DistilledHeadSpec
from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.linear_head import LinearHeadSpec
from efspec.blocks.network import HeadAlone
from efspec.blocks.options import BlockSpec, DownsampleSpec, Part, Site, StemSpec
from efspec.cost import LatencySource, Mes, Summary, bytes_of, score
from efspec.cost.latency import milliseconds
from efspec.cost.report import rated
from efspec.errors import EfspecError
from efspec.plan import Block, BlockError, map_shape
from efspec.spec.dump import drops, spec_hash
from efspec.spec.resolve import MAX_PARAMETERS, resolve
from efspec.spec.schema import NetworkSpec

_PIECES = Pieces()


def summarise(
    spec: NetworkSpec, source: LatencySource | None = None, mes: Mes | None = None
) -> Summary:
    """The figures of a spec, equal to those of its score.

    Args:
        spec: The spec.
        source: Where latencies come from, part by part; it is asked once for each piece.
        mes: How size and latency become one figure.

    Raises:
        EfspecError: When its parts do not make a network, or the source cannot say how long they
            take; holds all mistakes found.
    """
    head = spec.head
    if isinstance(head, FeaturesHeadSpec):  # the network holds on to maps while it goes on
        return score(resolve(spec), source, mes).summary()
    try:
        pieces = _pieces(spec, head)
        latency = _latency(pieces, source) if source else None
    except (BlockError, EfspecError):
        return score(resolve(spec), source, mes).summary()  # which tells all that is wrong
    params, params_folded, macs, peaks, _, _ = zip(*pieces, strict=True)
    if sum(params) > MAX_PARAMETERS:
        return score(resolve(spec), source, mes).summary()  # likewise
    summary = Summary(
        name=spec.name,
        input=(spec.input.channels, *spec.input.height_width),
        params=sum(params),
        params_folded=sum(params_folded),
        macs=sum(macs),
        activation_bytes_peak=bytes_of(max(peaks)),
        latency_ms=None,
        mes=None,
        hash=spec_hash(spec),
    )
    return summary if latency is None else rated(summary, latency, mes)


def _latency(pieces: list[Piece], source: LatencySource) -> float:
    """Milliseconds of a network of pieces.

    Raises:
        EfspecError: When the source cannot say how long one of them takes.
    """
    found = [latency_of(piece.module, source) for piece in pieces]
    blocks = sum(block.ns for one in found for block in one.blocks)
    fixed = found[0].fixed  # each has it, and the network has it once
    return milliseconds(blocks + (fixed.ns if fixed else 0))


def _pieces(spec: NetworkSpec, head: LinearHeadSpec | DistilledHeadSpec) -> list[Piece]:
    """The pieces of a network, in order."""
    counter = Counter(spec, head)
    found = [counter.stem(spec.stem)]
    for stage in spec.stages:
        if stage.downsample:
            found.append(counter.downsample(stage.downsample, stage.width, found[-1].behind))
        for entry in stage.blocks:
            found += counter.blocks(entry, stage.width, found[-1].behind)
    found.append(counter.head(found[-1].behind))
    return found


class Counter:
    """Finds the pieces of networks that have their input, defaults and head from one spec.

    Args:
        spec: The spec.
        head: Its head.
    """

    def __init__(self, spec: NetworkSpec, head: LinearHeadSpec | DistilledHeadSpec) -> None:
        self._input = map_shape(spec.input.channels, *spec.input.height_width)
        self._act = spec.defaults.act
        # Whether blocks are dropped counts, not how often.
        self._inherited = (self._act, spec.defaults.layer_scale, 0.0 if drops(spec) else None)
        self._head = head

    def stem(self, stem: StemSpec) -> Piece:
        """The piece of a stem.

        Raises:
            BlockError: When it cannot be there; so for all of these.
        """
        place = _PIECES.place(self._input)
        key = _key(stem, self._act)
        return place.pieces.get(key) or _add(place, key, stem.block(self._act))

    def downsample(self, downsample: DownsampleSpec, width: int, place: Place) -> Piece:
        """The piece of a downsample to a width, at a place."""
        key = _key(downsample, width, self._act)
        return place.pieces.get(key) or _add(place, key, downsample.block(width, self._act))

    def blocks(self, entry: BlockSpec, width: int, place: Place) -> list[Piece]:
        """The pieces of an entry's blocks, of which the first is at a place."""
        return _repeats(place, (width, *self._inherited), entry)

    def head(self, place: Place) -> Piece:
        """The piece of the head, at a place."""
        head = self._head
        key = _key(head)
        return place.pieces.get(key) or _add(
            place, key, HeadAlone(head=head.head(), num_classes=head.classes)
        )


def _key(part: Part, *site: Hashable) -> Hashable:
    """What tells a part that is there once from others, with what the network gives it."""
    return type(part), *site, *part.__dict__.values()


def _add(place: Place, key: Hashable, block: Block) -> Piece:
    """The piece of a part that is there once, and was not counted yet.

    Raises:
        BlockError: When it cannot be there.
    """
    return _PIECES.add(place, place.pieces, key, block)


def _repeats(place: Place, site: tuple[Any, ...], entry: BlockSpec) -> list[Piece]:
    """The pieces of an entry's blocks.

    Args:
        place: Where the first stands.
        site: Width, activation, layer scale and drop-path rate, as of a `Site`.
        entry: The entry.

    Raises:
        BlockError: When one of them cannot be there.
    """
    options = entry.__dict__
    shared_options, own_options = _split(type(entry))
    shared = (type(entry), site, shared_options(options))
    keys = options[own_options[0]] if len(own_options) == 1 else _zipped(options, own_options)
    if type(keys) is not tuple:
        keys = (keys,) * options["repeat"]
    found: list[Piece] = []
    group = place.groups.get(shared) or _PIECES.group(place, shared)
    for key in keys:
        piece = group.get(key)
        if piece is None:
            width, *inherited = site
            block = entry.block(Site(width, keys.index(key), *inherited))
            piece = _PIECES.add(place, group, key, block)
        found.append(piece)
        if piece.behind is not place:
            place = piece.behind
            group = _PIECES.group(place, shared)
    return found


@cache
def _split(entry: type[BlockSpec]) -> tuple[Callable[[Any], Hashable], tuple[str, ...]]:
    """What gets the options that an entry's repeats share, and the names of the others."""
    # How many there are, and how often they are dropped, makes no difference to one of them.
    own = tuple(name for name in entry.per_repeat if name != "drop_path")
    shared = [n for n in entry.model_fields if n not in (*entry.per_repeat, "repeat")]
    return itemgetter(*shared), own


def _zipped(options: dict[str, Any], names: tuple[str, ...]) -> tuple[Hashable, ...]:
    """The values of several options, or of none, that each repeat has alone."""
    count = options["repeat"]
    values = [options[name] for name in names]
    each = [value if type(value) is tuple else (value,) * count for value in values]
    return tuple(zip(*each, strict=True)) or ((),) * count
