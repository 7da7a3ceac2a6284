"""What passes do to weights, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efspec.plan import PlacedOp
from efspec.plan.ops import BatchNorm2d

Array = NDArray[Any]
Weights = Mapping[str, Array]
"""Tensors by their names in the state dict."""
State = dict[str, Array]
"""The same, while they are changed."""
Change = Callable[[State], None]
"""A change of some tensors; none is changed in place."""


def put(state: State, name: str, value: Array) -> None:
    """Set a tensor to a value, in the type that it has."""
    state[name] = value.astype(state[name].dtype)


def remove(state: State, placed: PlacedOp) -> None:
    """Remove the tensors of an op that goes."""
    for name in (*placed.op.parameters(), *placed.op.buffers()):
        del state[placed.prefix + name]


def scale(state: State, layer: PlacedOp, factor: Array, shift: Array | None = None) -> None:
    """Multiply what a layer gives with a factor per channel, and then add a shift.

    The layer is affine, and the first axis of its weight is that of its channels.
    """
    weight, bias = (state[layer.prefix + name] for name in ("weight", "bias"))
    wide = factor.astype(np.float64)
    put(state, f"{layer.prefix}weight", weight * wide.reshape(-1, *[1] * (weight.ndim - 1)))
    put(state, f"{layer.prefix}bias", bias * wide + (0 if shift is None else shift))


def affine(state: State, norm: PlacedOp) -> tuple[Array, Array]:
    """Factor and shift per channel that a batch norm is in inference."""
    names = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (state[norm.prefix + n].astype(np.float64) for n in names)
    factor = gamma / np.sqrt(variance + BatchNorm2d.epsilon)
    return factor, beta - mean * factor
