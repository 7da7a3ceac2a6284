"""Least squares without negative coefficients, and how far points leave coefficients open.

Rows are networks, columns are features, and the target of every row is 1: each row is divided by
its network's latency, so that errors are relative and a short latency counts as much as a long one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls

Array = NDArray[np.float64]


def relative(counts: Sequence[Sequence[float]], targets: Sequence[float]) -> Array:
    """Rows of counts, each over its target."""
    return np.asarray(counts, dtype=np.float64) / np.asarray(targets, dtype=np.float64)[:, None]


def solve(rows: Array) -> Array:
    """The coefficients, none below 0, with the least squares of relative errors."""
    norms = _norms(rows)
    scaled, _ = nnls(rows / norms, np.ones(len(rows)))
    return np.asarray(scaled / norms, dtype=np.float64)


def errors(rows: Array, coefficients: Array) -> Array:
    """Relative error of each row: 0.1 is a tenth too much."""
    return np.asarray(rows @ coefficients - 1.0, dtype=np.float64)


def without_each(rows: Array, groups: Sequence[str]) -> Array:
    """Relative error of each row when its group is left out of the fit."""
    found = np.zeros(len(rows))
    labels = np.asarray(groups)
    for group in dict.fromkeys(groups):
        out = labels == group
        found[out] = errors(rows[out], solve(rows[~out]))
    return found


def root_mean_square(values: Array) -> float:
    """Square root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def ranges(rows: Array, tolerance: float) -> list[tuple[float, float]] | None:
    """The least and the most that each coefficient can be with no row missed by more.

    Args:
        rows: The rows.
        tolerance: The largest relative error that is allowed.

    Returns:
        A pair for each coefficient; None when no coefficients are within the tolerance.
    """
    norms = _norms(rows)
    scaled = rows / norms
    sides = np.vstack([scaled, -scaled])
    limits = np.concatenate(
        [np.full(len(rows), 1 + tolerance), np.full(len(rows), -(1 - tolerance))]
    )
    found: list[tuple[float, float]] = []
    for column, norm in enumerate(norms):
        ends: list[float] = []
        for sign in (1.0, -1.0):
            goal = np.zeros(rows.shape[1])
            goal[column] = sign
            result = linprog(goal, A_ub=sides, b_ub=limits, bounds=(0, None), method="highs")
            if result.x is None:  # no coefficients are within the tolerance
                return None
            ends.append(float(result.x[column] / norm))
        found.append((ends[0], ends[1]))
    return found


def correlations(rows: Array) -> Array:
    """Correlation of each two columns over the rows; 0 for columns that do not vary."""
    centred = rows - rows.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    norms[norms < 1e-12 * np.linalg.norm(rows, axis=0).clip(1e-300)] = np.inf
    scaled = centred / norms
    return np.asarray(scaled.T @ scaled, dtype=np.float64)


def _norms(rows: Array) -> Array:
    norms = np.linalg.norm(rows, axis=0)
    norms[norms == 0] = 1.0
    return np.asarray(norms, dtype=np.float64)
