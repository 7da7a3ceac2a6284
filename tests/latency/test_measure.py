"""Measuring, against machines of which it is known what they take."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

import efspec
from efspec.deploy import Weights
from efspec.latency.measure import (
    WARM_UP,
    Batch,
    Effort,
    measure,
    network_figure,
    steps,
)
from efspec.latency.probe import reference, wanted
from efspec.latency.runner import Runner, Timed
from efspec.plan import Plan
from tests.latency.tables import PROTOCOL

PLAN = efspec.resolve(efspec.load("v2_s0"))
FOUND = wanted([PLAN])
PROBES = [one.probe for one in FOUND.values()]
FIXED = 100_000
EFFORT = Effort(rounds=6, together=3)


def per_copy(plan: Plan) -> int:
    """What a network takes in nanoseconds: of its MACs and ops, so that copies add up."""
    return sum(op.output_shapes[0].sizes[0] * 100 for op in plan.ops()) * 1000


class Machine:
    """Runs networks by adding up what they take; `slower` says how much so at the n-th call."""

    def __init__(self, slower: Callable[[int], float] = lambda call: 1.0) -> None:
        self.calls = 0
        self.loaded: list[Plan] = []
        self.slower = slower

    @property
    def runner(self) -> Runner:
        return Runner(PROTOCOL, self.load)

    def load(self, plan: Plan, weights: Weights) -> Timed:
        assert plan.deployed
        assert weights
        self.loaded.append(plan)
        ns = FIXED + per_copy(plan)

        def call() -> int:
            self.calls += 1
            return round(ns * self.slower(self.calls))

        return call


def seen(machine: Machine, effort: Effort = EFFORT) -> list[Batch]:
    said: list[str] = []
    return list(measure(PROBES, reference(PLAN), machine.runner, effort, said.append))


def test_a_quiet_machine_is_measured_exactly() -> None:
    batches = seen(Machine())
    measured = {one.key: one for batch in batches for one in batch.measured}
    assert measured.keys() == FOUND.keys()
    for one in measured.values():
        assert one.figure.method == "differenced"
        assert one.figure.n == EFFORT.rounds
        assert one.figure.range == (one.figure.p50_ns, one.figure.p50_ns)
        assert (one.figure.noise, one.bend, one.dropped, one.doubts) == (0, 0, 0, ())
    watched = [times for batch in batches for times in batch.watched]
    # Results of copies beside each other are added, once less often than there are copies.
    assert 0 <= FIXED - network_figure(watched).p50_ns <= 100 * 32 * 1000
    assert all(batch.slowdown == 0 for batch in batches)


def test_steps_are_counted_beforehand() -> None:
    said: list[str] = []
    list(measure(PROBES, reference(PLAN), Machine().runner, EFFORT, said.append))
    assert len(said) == steps(PROBES, EFFORT)


def test_order_follows_the_seed() -> None:
    def order(seed: int) -> list[str]:
        batches = seen(Machine(), EFFORT.replaced(seed=seed))
        return [one.key.text for batch in batches for one in batch.measured]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2)) == sorted(key.text for key in FOUND)


def test_disturbed_rounds_are_dropped_and_repeated() -> None:
    quiet = Machine()
    expected = {one.key: one.figure for batch in seen(quiet) for one in batch.measured}
    calls = quiet.calls // len(FOUND)

    def slower(call: int) -> float:
        return 2.0 if call // calls % 5 == 1 else 1.0  # for about one round in five

    measured = [one for batch in seen(Machine(slower)) for one in batch.measured]
    assert any(one.dropped for one in measured)
    believed = [one for one in measured if not one.doubts]
    assert len(believed) > len(measured) / 2
    assert all(one.figure.p50_ns == expected[one.key].p50_ns for one in believed)


def test_caches_are_emptied_before_each_call() -> None:
    machine, emptied = Machine(), []
    running = machine.runner.replaced(empty=lambda: emptied.append(machine.calls))
    list(measure(PROBES[:2], reference(PLAN), running, EFFORT, lambda said: None))
    untimed = len(machine.loaded) * (WARM_UP + 1)  # one more tells how often to call
    assert len(emptied) == machine.calls - untimed
    assert emptied == sorted(set(emptied))


def test_a_machine_that_becomes_slower_is_told() -> None:
    half = Machine()
    seen(half)
    batches = seen(Machine(lambda call: 1.5 if call > half.calls // 2 else 1.0))
    last = batches[-1]
    assert last.slowdown == pytest.approx(0.5, abs=0.01)
    assert all("over 10% slower" in one.doubts[0] for one in last.measured)
    assert all(not one.doubts for one in batches[0].measured)
    limit = EFFORT.rounds * EFFORT.limit
    assert all(one.rounds + one.dropped == limit for one in last.measured)


def test_noise_is_told_and_tried_against() -> None:
    random = Random(0)
    batches = seen(Machine(lambda call: random.uniform(0.5, 1.5)))
    doubtful = [one for batch in batches for one in batch.measured if one.doubts]
    assert doubtful
    assert all(one.figure.noise is not None and one.figure.noise >= 0 for one in doubtful)
    assert max(one.rounds + one.dropped for one in doubtful) == EFFORT.rounds * EFFORT.limit


def test_what_does_not_grow_in_a_line_is_doubted() -> None:
    class Cached(Machine):
        """Small networks stay in a cache, and take a third."""

        def load(self, plan: Plan, weights: Weights) -> Timed:
            call = super().load(plan, weights)
            small = sum(array.size for array in weights.values()) < 10**6
            return lambda: call() // 3 if small else call()

    batches = seen(Cached())
    bent = [one for batch in batches for one in batch.measured if "line" in " ".join(one.doubts)]
    assert bent
    assert all(abs(one.bend) > 0.05 for one in bent)


def test_few_networks_are_held_at_a_time() -> None:
    held: list[int] = []

    class Counting(Machine):
        alive = 0

        def load(self, plan: Plan, weights: Weights) -> Timed:
            call = super().load(plan, weights)
            Counting.alive += 1
            held.append(Counting.alive)

            class Held:
                def __call__(self) -> int:
                    return call()

                def __del__(self) -> None:
                    Counting.alive -= 1

            return Held()

    seen(Counting())
    assert max(held) <= (EFFORT.together + 2) * len(EFFORT.copies)


def test_networks_are_called_before_they_are_timed() -> None:
    first: dict[int, int] = {}

    class Cold(Machine):
        """The first calls take a hundred times as long."""

        def load(self, plan: Plan, weights: Weights) -> Timed:
            call, number = super().load(plan, weights), len(self.loaded)
            first[number] = 0

            def run() -> int:
                first[number] += 1
                return call() * (100 if first[number] <= WARM_UP else 1)

            return run

    for batch in seen(Cold()):
        assert not any(one.doubts for one in batch.measured)


def test_nothing_to_measure_loads_nothing() -> None:
    machine = Machine()
    assert list(measure([], reference(PLAN), machine.runner, EFFORT, lambda said: None)) == []
    assert machine.loaded == []
