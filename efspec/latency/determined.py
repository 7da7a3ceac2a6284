"""What points leave open: coefficients that they bound loosely, and what rounding does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from efspec.latency import solve
from efspec.latency.forms import Counted, Form
from efspec.record import Record

DRAWS = 400
"""How often prints are drawn anew within their rounding."""
SEED = 0
TWINS = 0.98
"""Correlation from which two features are hardly told apart."""


class Bound(Record):
    """What a coefficient may be with no network missed by more than unseen ones were.

    Attributes:
        term: The fixed cost or a feature.
        least: Nanoseconds per unit.
        most: Nanoseconds per unit.
        share: The largest part of any network's latency that it can then account for.
    """

    term: str
    least: float
    most: float
    share: float


class Jitter(Record):
    """What rounding in print does: 5th and 95th percentiles over prints drawn anew.

    The form is held; networks are left out by model.

    Attributes:
        draws: How many draws.
        median: Of the median error at the smallest image size.
        largest: Of the largest error there.
        coefficients: Of each coefficient, the fixed cost first.
    """

    draws: int
    median: tuple[float, float]
    largest: tuple[float, float]
    coefficients: tuple[tuple[float, float], ...]


def bounds_of(counted: Counted, form: Form, tolerance: float) -> tuple[Bound, ...]:
    """How far points leave the coefficients of a form open; none when it cannot meet them.

    What no network has is left out: nothing bounds it.

    Args:
        counted: The networks.
        form: What a latency is a sum of.
        tolerance: By how much any network may be missed, relative to its latency.
    """
    rows = counted.rows(form)
    there: NDArray[np.bool_] = np.asarray(rows.any(axis=0))
    names = [name for name, some in zip(form.columns, there, strict=True) if some]
    largest = rows[:, there].max(axis=0)
    found = solve.ranges(rows[:, there], tolerance) or []
    return tuple(
        Bound(name, least, most, min(1.0, most * float(at)))
        for name, (least, most), at in zip(names, found, largest, strict=False)
    )


def twins(counted: Counted, form: Form) -> tuple[tuple[str, str, float], ...]:
    """Pairs of features that go up and down together over the networks."""
    ones = [1.0] * len(counted.networks)
    found = solve.correlations(counted.rows(form, ones))
    names = form.columns
    return tuple(
        (names[i], names[j], float(found[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if found[i, j] >= TWINS
    )


def jittered(counted: Counted, form: Form) -> Jitter:
    """What rounding in print does to a form's coefficients and to its errors."""
    generator = np.random.default_rng(SEED)
    sides = np.array([network.side for network in counted.networks])
    small = sides == sides.min()
    medians, largest, coefficients = [], [], []
    for _ in range(DRAWS):
        targets = [
            1e6 * sum(ms + step * (generator.random() - 0.5) for ms, step in network.prints)
            / len(network.prints)
            for network in counted.networks
        ]  # fmt: skip
        rows = counted.rows(form, targets)
        errors = np.abs(solve.without_each(rows, counted.models))[small]
        medians.append(float(np.median(errors)))
        largest.append(float(errors.max()))
        coefficients.append(solve.solve(rows))
    return Jitter(
        DRAWS,
        _ends(np.array(medians)),
        _ends(np.array(largest)),
        tuple(_ends(column) for column in np.array(coefficients).T),
    )


def _ends(values: solve.Array) -> tuple[float, float]:
    low, high = np.percentile(values, [5, 95])
    return float(low), float(high)
