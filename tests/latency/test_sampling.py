"""What times of probes say of a part."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efspec.latency.sampling import (
    bend,
    estimate,
    intercept,
    quantile,
    slope,
    steady,
)

TIMES = st.integers(0, 10**9)


@given(part=TIMES, fixed=TIMES, copies=st.sets(st.integers(1, 20), min_size=3))
def test_parts_on_a_line_are_found_exactly(part: int, fixed: int, copies: set[int]) -> None:
    times = {n: fixed + n * part for n in copies}
    assert slope(times) == part
    assert intercept(times) == fixed
    assert bend([times, times]) == 0


def test_a_bend_is_told_with_its_direction() -> None:
    assert bend([{1: 100, 3: 440, 5: 500}]) == pytest.approx((440 - 300) / 440)
    assert bend([{1: 100, 3: 200, 5: 500}]) == pytest.approx((200 - 300) / 200)
    assert bend([{1: 100, 5: 500}]) == 0
    # It is the medians that are looked at, so that one disturbed round says nothing.
    straight = {1: 100, 3: 300, 5: 500}
    assert bend([straight, straight, {1: 100, 3: 3000, 5: 500}]) == 0


def test_quantiles_lie_between_neighbours() -> None:
    assert quantile([7], 0.9) == 7
    assert quantile([30, 10, 20], 0.5) == 20
    assert quantile(list(range(11)), 0.1) == 1
    assert quantile([0, 10], 0.25) == 2.5


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_estimates_are_in_order_and_never_negative(samples: list[float]) -> None:
    found = estimate(samples)
    assert 0 <= found.p10 <= found.p50 <= found.p90
    assert found.n == len(samples)


def test_a_drift_shows_between_the_halves() -> None:
    assert estimate([100, 102, 98, 100, 101, 99]).halves <= 2
    assert estimate([100] * 10 + [120] * 10).halves == 20
    assert estimate([100]).halves == 0


def test_medians_withstand_outliers() -> None:
    noise = random.Random(0)
    samples = [1000 + noise.gauss(0, 5) for _ in range(40)]
    for i in range(0, 40, 5):  # one in five is disturbed
        samples[i] *= 3
    assert estimate(samples).p50 == pytest.approx(1000, rel=0.01)


def test_rounds_of_a_slower_machine_do_not_count() -> None:
    assert steady([100, 109, 112, 250, 99], best=100) == [True, True, False, False, True]
