"""Rows of one kind of block as points, and what they say of a point between them.

Blocks of one type and with the same options differ in sizes alone. None of these sizes makes a
block faster as it grows, so what was measured bounds what was not: a block takes at least as long
as every measured one that is no larger in any size, and at most as long as every one that is no
smaller in any. Figures between are taken from the grid that the measured sizes span.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from itertools import product
from math import log, prod

from efspec.plan.key import BlockKey

Point = tuple[Fraction, ...]
"""The sizes of a block, each of which costs more the larger it is."""
Real = Fraction | float
Samples = Mapping[Point, int]
"""Nanoseconds at points."""


def kind(key: BlockKey) -> Hashable:
    """What blocks have in common whose latencies depend on nothing but sizes."""
    return key.type, key.options, tuple(name for name, _ in key.sizes), len(key.input)


def place(key: BlockKey) -> Point:
    """The point of a block: its sizes, and width, height and shape of its input.

    Hidden sizes count as expansion ratios, and the width of a map as its share of the height,
    so that what a search varies alone is an axis alone.
    """
    channels, *space = key.input
    sizes = [Fraction(n, channels if name == "hidden_dim" else 1) for name, n in key.sizes]
    if len(space) == 2:
        height, width = space
        return (*sizes, Fraction(channels), Fraction(height), Fraction(width, height))
    return (*sizes, *map(Fraction, key.input))


def grouped(keys: Iterable[BlockKey]) -> dict[Hashable, dict[Point, BlockKey]]:
    """Keys by their kind, and there by their points."""
    groups: dict[Hashable, dict[Point, BlockKey]] = {}
    for key in keys:
        groups.setdefault(kind(key), {})[place(key)] = key
    return groups


def below(a: tuple[Real, ...], b: tuple[Real, ...]) -> bool:
    """Whether no size is larger in the first point than in the second."""
    return all(x <= y for x, y in zip(a, b, strict=True))


def bounds(lows: Samples, highs: Samples, at: Point) -> tuple[int, int] | None:
    """The least and the most that it can be at a point; None where a side is not measured."""
    under = [ns for point, ns in lows.items() if below(point, at)]
    over = [ns for point, ns in highs.items() if below(at, point)]
    return (max(under), min(over)) if under and over else None


def between(samples: Samples, at: Point) -> int | None:
    """Nanoseconds at a point inside the grid of the samples; None outside.

    It never falls as a size grows, and where samples do not either, it goes through them.
    """
    sides = [_bracket(sorted({point[axis] for point in samples}), x) for axis, x in enumerate(at)]
    if not all(sides):
        return None
    total = Fraction(0)
    for corner in product(*sides):
        point = tuple(x for x, _ in corner)
        limits = bounds(samples, samples, point)
        if limits is None:
            return None
        # Both limits never fall as the point grows, so neither does their mean.
        total += prod(weight for _, weight in corner) * Fraction(sum(limits), 2)
    return round(total)


def nearest(points: Iterable[Point], at: Point) -> Point | None:
    """The point whose sizes differ least, as ratios."""

    def distance(point: Point) -> float:
        return sum(abs(log(x / y)) for x, y in zip(point, at, strict=True) if x and y)

    return min(points, key=distance, default=None)


def _bracket(values: list[Fraction], x: Fraction) -> tuple[tuple[Fraction, Fraction], ...]:
    """The neighbours of a number in a sorted list, with their weights; none outside of the list."""
    i = bisect_left(values, x)
    if i == len(values) or (i == 0 and values[0] != x):
        return ()
    if values[i] == x:
        return ((x, Fraction(1)),)
    low, high = values[i - 1], values[i]
    weight = (x - low) / (high - low)
    return ((low, 1 - weight), (high, weight))
