"""Weights to measure with: those of a trained network in order of magnitude, and no two alike."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from efspec.deploy import Weights, deploy
from efspec.plan import Plan

_SPREAD = 0.1
"""How far statistics, biases and factors are from what leaves a value as it is."""
_BRANCH = 0.25
"""Layer scale: small enough for values in a chain of blocks to stay within half precision."""


def deployed_with_weights(plan: Plan, seed: int = 0) -> tuple[Plan, Weights]:
    """A network rewritten for inference, and weights for it.

    Initial weights would not do: layer scales of 1e-5 leave numbers that half precision cannot
    hold, and all zeros are the same, so that runtimes may merge what they belong to.
    """
    shapes = plan.parameters() | plan.buffers()
    rewritten = deploy(plan)
    drawn = {name: _drawn(name, shape, seed) for name, shape in shapes.items()}
    return rewritten.plan, rewritten.of(drawn)


def _drawn(name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.generic]:
    """A tensor of the state dict: the same for one name and seed, in whatever network it is."""
    last = name.rpartition(".")[2]
    if last == "num_batches_tracked":
        return np.zeros(shape, dtype=np.int64)
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8]))
    noise: npt.NDArray[np.float32] = random.standard_normal(shape, dtype=np.float32)
    if last == "running_var":
        return 1 + _SPREAD * np.abs(noise)
    if last == "gamma":
        return _BRANCH * (1 + _SPREAD * noise)
    if last == "weight" and len(shape) == 1:
        return 1 + _SPREAD * noise
    if last == "weight":
        return noise / np.float32(math.sqrt(math.prod(shape[1:])))
    return _SPREAD * noise
