"""Which networks no other beats, and how much of what is possible they cover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from efspec.search.evaluation import Evaluation

Point = tuple[float, float]
"""Two figures of which more is better."""


def front(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """The evaluations that none beats in accuracy and in MES, from the largest MES on.

    Of several that are equal in both, the one that was made first stands for all.
    """
    best: list[Evaluation] = []
    for one in sorted(evaluations, key=lambda one: (-one.mes, -one.accuracy)):
        if not best or one.accuracy > best[-1].accuracy:
            best.append(one)
    return best


def hypervolume(points: Iterable[Point], reference: Point = (0.0, 0.0)) -> float:
    """The area that points cover, from a reference that they should beat."""
    area, height = 0.0, reference[1]
    for x, y in sorted(points, key=lambda point: (-point[0], -point[1])):
        if x > reference[0] and y > height:
            area += (x - reference[0]) * (y - height)
            height = y
    return area


def regret(found: Sequence[Point], best: Sequence[Point], reference: Point = (0.0, 0.0)) -> float:
    """The share of what the best points cover that the found ones do not, from 0 to 1."""
    whole = hypervolume(best, reference)
    return 1 - hypervolume(found, reference) / whole if whole else 0.0
