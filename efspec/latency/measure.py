"""Measuring parts of networks, in turn and in random order, until what is seen can be believed.

A few parts are measured together, in rounds; each round visits every network of theirs some times,
in random order, so that what disturbs the machine falls on all alike, and takes the fastest call
of each: what disturbs a call only makes it slower. One network is the same in all rounds: by it a
machine shows that it was slower for a while, and that round does not count.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from random import Random
from statistics import median
from typing import TypeVar

from efspec.latency.probe import Harness, Probe, probe_plan
from efspec.latency.runner import Runner, Timed
from efspec.latency.sampling import (
    DOUBTFUL,
    SLOWER,
    Estimate,
    Times,
    bend,
    estimate,
    intercept,
    quantile,
    slope,
    steady,
)
from efspec.latency.table import Figure
from efspec.latency.weights import deployed_with_weights
from efspec.plan.key import BlockKey
from efspec.record import Node, Record

NameT = TypeVar("NameT", bound=Hashable)

SMALL = 0.1
"""Share of the watched network's part below which disagreement in nanoseconds is what counts."""
WARM_UP = 2
"""Calls before a network is timed at all: memory is taken, kernels are chosen, code is compiled."""
SWEEPS = 3
"""How often a round visits each network."""
MIN_CALLS, MAX_CALLS = 3, 9
"""Of a network in a visit."""


class Effort(Record):
    """How thoroughly to measure.

    Attributes:
        rounds: How many rounds have to count.
        together: How many parts are measured together; what kills the process loses them.
        limit: How many rounds there are at most, for the times of each one that counts.
        copies: How many copies of a part; the first and the last give its latency, and those
            between show whether it lies on a line.
        visit_ns: About how long to time a network in a visit.
        seed: Seed of the order.
    """

    rounds: int
    together: int
    limit: int = 3
    copies: tuple[int, ...] = (2, 5, 8)
    visit_ns: int = 5_000_000
    seed: int = 0


class Measured(Record):
    """What was seen of a part.

    Attributes:
        key: The part.
        figure: Its latency.
        bend: How far the numbers of copies between lie off the line.
        rounds: How many rounds counted.
        dropped: How many did not, as the machine was slower.
        doubts: Why it should not be believed; none where it can be.
    """

    key: BlockKey
    figure: Figure
    bend: float
    rounds: int
    dropped: int
    doubts: tuple[str, ...]


class Batch(Node):
    """What was seen of parts that were measured together.

    Attributes:
        measured: The parts.
        watched: Of each round that counted, the times of the watched network.
        slowdown: How much slower the machine was than at its best, in the median of all rounds.
    """

    measured: tuple[Measured, ...]
    watched: tuple[Times, ...]
    slowdown: float


Step = Callable[[str], None]


def measure(
    probes: Sequence[Probe], watch: Harness, runner: Runner, effort: Effort, step: Step
) -> Iterator[Batch]:
    """What is seen of parts, batch by batch, in random order.

    Args:
        probes: The parts.
        watch: What to watch the machine by.
        runner: What runs them.
        effort: How thoroughly.
        step: Called before each round with what is done.
    """
    random = Random(effort.seed)
    order = random.sample(probes, len(probes))
    if not order:
        return
    watched = _load(watch, runner, effort)
    best = float("inf")
    for start in range(0, len(order), effort.together):
        gc.collect()  # the networks of the batch before
        batch = order[start : start + effort.together]
        what = f"{start + 1} to {start + len(batch)} of {len(order)}"
        found = _Rounds({watch: watched}, best)
        for harness in _harnesses(batch):
            step(f"{what}: loading")
            if harness not in found.loaded:
                found.loaded[harness] = _load(harness, runner, effort)
        while not _enough(found, batch, watch, effort):
            step(f"{what}: round {len(found.rounds) + 1}")
            found.add(_round(found.loaded, random), watch)
        best = found.best
        yield Batch(
            tuple(_measured(probe, found, watch, effort) for probe in batch),
            tuple(times[watch] for times in found.counting(watch)),
            found.slowdown(watch),
        )


def steps(probes: Sequence[Probe], effort: Effort) -> int:
    """How often `measure` calls its step, if no round has to be repeated."""
    batches = -(-len(probes) // effort.together)
    return sum(len(probe.terms) for probe in probes) + batches * effort.rounds


def network_figure(watched: Sequence[Times]) -> Figure:
    """What every network costs beside its parts, by the times of the watched one."""
    return _figure(estimate([intercept(times) for times in watched]), None)


class Visited:
    """A loaded network, which is called some times in each visit.

    Args:
        timed: Calls it.
        visit_ns: About how long to time it in a visit.
        empty: Empties the caches; None to find in them what the call before has left.
    """

    def __init__(
        self, timed: Timed, visit_ns: int, empty: Callable[[], None] | None = None
    ) -> None:
        for _ in range(WARM_UP):
            timed()
        self._timed, self._empty = timed, empty
        self._calls = min(max(MIN_CALLS, visit_ns // max(timed(), 1)), MAX_CALLS)

    def visit(self) -> float:
        """The fastest of some calls."""
        if self._empty is None:
            self._timed()  # fetches into the caches what fits there
        return min(self._call() for _ in range(self._calls))

    def _call(self) -> int:
        if self._empty is not None:
            self._empty()
        return self._timed()


def fastest(networks: Mapping[NameT, Visited], random: Random) -> dict[NameT, float]:
    """One round: of each network, the fastest of its visits."""
    names = list(networks)
    seen = dict.fromkeys(names, float("inf"))
    for name in (one for _ in range(SWEEPS) for one in random.sample(names, len(names))):
        seen[name] = min(seen[name], networks[name].visit())
    return seen


_Loaded = dict[int, Visited]
"""The networks of a harness by the number of copies."""
_Round = dict[Harness, Times]


class _Rounds:
    """The rounds of a batch.

    Args:
        loaded: The networks by their harness.
        best: What the watched network took at its best, before.
    """

    def __init__(self, loaded: dict[Harness, _Loaded], best: float) -> None:
        self.loaded = loaded
        self.best = best
        self.rounds: list[_Round] = []

    def add(self, one: _Round, watch: Harness) -> None:
        """Take a round into account."""
        self.rounds.append(one)
        # The fastest quarter, not the fastest: clocks go astray as well.
        self.best = min(self.best, quantile(self._watched(watch), 0.25))

    def counting(self, watch: Harness) -> list[_Round]:
        """The rounds that count."""
        is_steady = steady(self._watched(watch), self.best)
        return [one for one, steady_ in zip(self.rounds, is_steady, strict=True) if steady_]

    def slowdown(self, watch: Harness) -> float:
        """How much slower than at its best the machine was, in the median."""
        return median(self._watched(watch)) / self.best - 1

    def _watched(self, watch: Harness) -> list[float]:
        return [max(one[watch].values()) for one in self.rounds]


def _load(harness: Harness, runner: Runner, effort: Effort) -> _Loaded:
    found = {}
    for copies in effort.copies:
        timed = runner.load(*deployed_with_weights(probe_plan(harness, copies)))
        found[copies] = Visited(timed, effort.visit_ns, runner.empty)
    return found


def _harnesses(batch: Sequence[Probe]) -> list[Harness]:
    return list(dict.fromkeys(harness for probe in batch for _, harness in probe.terms))


def _round(loaded: dict[Harness, _Loaded], random: Random) -> _Round:
    networks = {
        (harness, copies): visited
        for harness, one in loaded.items()
        for copies, visited in one.items()
    }
    seen = fastest(networks, random)
    return {
        harness: {copies: seen[harness, copies] for copies in one}
        for harness, one in loaded.items()
    }


def _enough(found: _Rounds, batch: Sequence[Probe], watch: Harness, effort: Effort) -> bool:
    if len(found.rounds) >= effort.rounds * effort.limit:
        return True
    if len(found.counting(watch)) < effort.rounds:
        return False
    # Those that count are as many as wanted, or a multiple of it: more are seen in one go.
    if len(found.counting(watch)) % effort.rounds:
        return False
    return not any(_measured(probe, found, watch, effort).doubts for probe in batch)


def _measured(probe: Probe, found: _Rounds, watch: Harness, effort: Effort) -> Measured:
    counting = found.counting(watch)
    dropped = len(found.rounds) - len(counting)
    doubts = []
    if len(counting) < effort.rounds:
        doubts.append(
            f"in {dropped} of {len(found.rounds)} rounds the machine was over {SLOWER:.0%} slower"
            " than at its best"
        )
    rounds = counting or found.rounds
    estimated = estimate(
        [sum(times * slope(one[harness]) for times, harness in probe.terms) for one in rounds]
    )
    unit = max(estimated.p50, SMALL * median(slope(one[watch]) for one in rounds), 1.0)
    apart = estimated.halves / unit
    if apart > DOUBTFUL:
        doubts.append(f"the earlier and the later half of its samples differ by {apart:.0%}")
    bends = [bend([one[harness] for one in rounds]) for _, harness in probe.terms]
    bent = max(bends, key=abs)
    if abs(bent) > DOUBTFUL:
        doubts.append(f"it does not grow in a line: copies between take {bent:+.0%}")
    noise = round(max(apart, abs(bent)), 4)
    return Measured(
        probe.key, _figure(estimated, noise), bent, len(counting), dropped, tuple(doubts)
    )


def _figure(estimated: Estimate, noise: float | None) -> Figure:
    return Figure(
        p50_ns=estimated.p50,
        p10_ns=estimated.p10,
        p90_ns=estimated.p90,
        n=estimated.n,
        noise=noise,
        method="differenced",
    )
