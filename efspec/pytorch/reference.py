"""What a network's module computes: what artefacts of it are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from efspec.errors import fail
from efspec.plan import Plan
from efspec.plan.names import output_names
from efspec.pytorch.build import build_module

TOLERANCE = 1e-4
"""Largest difference from the module, over its largest value: sums of single precision in another
order, through every layer. A wrong layer is off by more than that."""
ROUNDING = 10
"""How many times the module's own rounding an artefact may be off. Narrow layer norms can make
much of it: the sign of what is almost nothing."""

Array = npt.NDArray[np.float32]


class Wanted(NamedTuple):
    """What an output should be.

    Attributes:
        value: The module's, in double precision.
        rounding: How far off it is in single precision, over its largest value.
    """

    value: npt.NDArray[np.float64]
    rounding: float


def images(plan: Plan, batch: int) -> Array:
    """Images (batch, C, H, W) of the input's size, standard normal, the same each time."""
    return np.random.default_rng(0).standard_normal((batch, *plan.input), np.float32)


def outputs(plan: Plan, state: Mapping[str, Tensor], x: Array) -> tuple[Wanted, ...]:
    """What the module of a plan gives in eval mode, with a state dict, for images (B, C, H, W)."""
    module = build_module(plan).eval()
    module.load_state_dict(state)
    batch = torch.from_numpy(x)
    with torch.inference_mode():
        single = module(batch)
        double = module.double()(batch.double())
    pairs = zip(single, double, strict=True) if isinstance(single, tuple) else [(single, double)]
    values = [(y.numpy(), z.numpy()) for y, z in pairs]
    return tuple(Wanted(z, _error(y, z)) for y, z in values)


def difference(
    plan: Plan, found: Sequence[Array], wanted: Sequence[Wanted], artefact: str
) -> float:
    """The largest difference of outputs from the module's, over the largest value of each.

    Args:
        plan: The network.
        found: What an artefact gives.
        wanted: What the module gives.
        artefact: What the artefact is, and what ran it.

    Raises:
        EfspecError: When that is no number, or more than rounding explains.
    """
    worst = 0.0
    for name, value, (exact, rounding) in zip(output_names(plan), found, wanted, strict=True):
        error, limit = _error(value, exact), max(TOLERANCE, ROUNDING * rounding)
        if not error <= limit:
            raise fail(
                "wrong-artefact",
                f"{artefact} gives other values of `{name}` than the module: off by {error:.1e} "
                "of the largest",
                expected=f"at most {limit:.0e}",
                fix="report it, with the spec; nothing was written",
            )
        worst = max(worst, error)
    return worst


def _error(value: Array, exact: npt.NDArray[np.float64]) -> float:
    largest = max(float(np.abs(exact).max()), np.finfo(np.float32).tiny)
    return float(np.abs(value - exact).max() / largest)
