"""The solver's own contract, on numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from efspec.latency import solve

EXACT = 1e-9
"""What is solved in double precision, on numbers near 1."""


def rows(noise: float = 0.0) -> solve.Array:
    generator = np.random.default_rng(3)
    counts = generator.uniform(1, 10, (12, 3))
    targets = counts @ [0.5, 2.0, 0.0] * (1 + noise * generator.standard_normal(12))
    return solve.relative(counts.tolist(), targets.tolist())


def test_exact_points_give_their_coefficients() -> None:
    found = solve.solve(rows())
    assert found == pytest.approx([0.5, 2.0, 0.0], abs=EXACT)
    assert solve.errors(rows(), found) == pytest.approx(np.zeros(12), abs=EXACT)
    left_out = solve.without_each(rows(), list("aabbccddeeff"))
    assert left_out == pytest.approx(np.zeros(12), abs=EXACT)


def test_coefficients_are_not_negative() -> None:
    counts = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    found = solve.solve(solve.relative(counts.tolist(), [3.0, 2.0, 1.0]))
    assert (found >= 0).all()
    assert found[1] == 0


def test_a_group_is_left_out_as_a_whole() -> None:
    noisy = rows(noise=0.1)
    groups = ["a"] * 4 + ["b"] * 8
    expected = solve.errors(noisy[:4], solve.solve(noisy[4:]))
    assert solve.without_each(noisy, groups)[:4].tolist() == expected.tolist()


def test_ranges_hold_the_solution_and_grow_with_the_tolerance() -> None:
    noisy = rows(noise=0.02)
    found = solve.solve(noisy)
    worst = float(np.abs(solve.errors(noisy, found)).max())
    narrow, wide = solve.ranges(noisy, worst * 1.01), solve.ranges(noisy, worst * 2)
    assert narrow
    assert wide
    for value, (low, high), (lower, higher) in zip(found, narrow, wide, strict=True):
        assert lower <= low <= value + EXACT
        assert value - EXACT <= high <= higher
    assert solve.ranges(noisy, worst / 100) is None


def test_twins_correlate_and_constants_do_not() -> None:
    column = np.arange(1.0, 7.0)
    found = solve.correlations(np.stack([column, 3 * column, np.ones(6)], axis=1))
    assert found[0, 1] == pytest.approx(1)
    assert found[2].tolist() == [0, 0, 0]
