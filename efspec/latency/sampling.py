"""What times of probes say of a part, and how far they can be believed. Numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from efspec.record import Record

DOUBTFUL = 0.05
"""How far samples may disagree, as a share of the latency."""
SLOWER = 0.10
"""By how much a machine may be slower than at its best; rounds in which it was do not count."""

Times = Mapping[int, float]
"""Nanoseconds by the number of copies, of one round."""


class Estimate(Record):
    """The latency of a part.

    Attributes:
        p50: Median in nanoseconds, never below 0.
        p10: What a tenth of the samples stay below.
        p90: What a tenth of the samples exceed.
        n: How many samples.
        halves: How far the medians of the earlier and of the later half differ, in nanoseconds.
    """

    p50: int
    p10: int
    p90: int
    n: int
    halves: int


def slope(times: Times) -> float:
    """What one copy more takes, from the fewest copies to the most."""
    few, many = min(times), max(times)
    return (times[many] - times[few]) / (many - few)


def intercept(times: Times) -> float:
    """What no copies at all would take."""
    few = min(times)
    return times[few] - few * slope(times)


def bend(rounds: Sequence[Times]) -> float:
    """How far the numbers of copies between lie off the line, as a share of what they take.

    Positive where they take longer. Of several between, the one that is farthest off counts.
    """
    medians = {n: median(times[n] for times in rounds) for n in rounds[0]}
    few, rise = min(medians), slope(medians)
    between = sorted(medians)[1:-1]
    lines = {n: medians[few] + rise * (n - few) for n in between}
    return max(((medians[n] - lines[n]) / (medians[n] or 1) for n in between), key=abs, default=0.0)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all stay below, between two neighbours in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def estimate(samples: Sequence[float]) -> Estimate:
    """The latency that samples in order of time say; there is at least one."""
    p50, p10, p90 = (max(0, round(quantile(samples, share))) for share in (0.5, 0.1, 0.9))
    middle = len(samples) // 2
    earlier, later = samples[:middle], samples[middle:]
    halves = abs(median(earlier) - median(later)) if middle else 0.0
    return Estimate(p50, p10, p90, len(samples), round(halves))


def steady(watched: Sequence[float], best: float) -> list[bool]:
    """Of each round, whether the machine was about as fast as it can be.

    Args:
        watched: What the same network took in each round.
        best: What it takes when nothing disturbs.
    """
    return [ns <= best * (1 + SLOWER) for ns in watched]
