"""Bilinear interpolation as a matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def interpolation(source: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """What flattened maps are multiplied with: (h * w, H * W), with half-pixel centres.

    Args:
        source: Height and width of a map.
        target: Those that it is to have.
    """
    vertical, horizontal = (
        _weights(size, wanted) for size, wanted in zip(source, target, strict=True)
    )
    matrix: Matrix = np.kron(vertical, horizontal).astype(np.float64).T
    return matrix


def _weights(size: int, wanted: int) -> Matrix:
    """How much of each of `size` pixels is in each of `wanted`, in a row per wanted pixel."""
    centres = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    centres = centres.clip(0, size - 1)  # beyond the outer centres a map goes on as it is there
    # A pixel's weight falls from one at its centre to zero at its neighbours'.
    distances: Matrix = np.abs(centres[:, None] - np.arange(size)[None])
    return np.maximum(1 - distances, 0)
