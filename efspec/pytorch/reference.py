"""What a network's module computes: what artefacts of it are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

Array = npt.NDArray[np.float32]


def images(plan: Plan, batch: int) -> Array:
    """Images (batch, C, H, W) of the input's size, standard normal, the same each time."""
    return np.random.default_rng(0).standard_normal((batch, *plan.input), np.float32)


def outputs(plan: Plan, state: Mapping[str, Tensor], x: Array) -> tuple[Array, ...]:
    """What the module of a plan gives in eval mode, with a state dict, for images (B, C, H, W)."""
    module = build_module(plan).eval()
    module.load_state_dict(state)
    with torch.inference_mode():
        result = module(torch.from_numpy(x))
    return tuple(y.numpy() for y in (result if isinstance(result, tuple) else (result,)))


def difference(
    plan: Plan, found: Sequence[Array], expected: Sequence[Array], artefact: str
) -> float:
    """The largest difference of outputs from the module's, over the largest value of each.

    Args:
        plan: The network.
        found: What an artefact gives.
        expected: What the module gives.
        artefact: What the artefact is, and what ran it.

    Raises:
        EfspecError: When that is above `TOLERANCE`, or no number.
    """
    worst = 0.0
    for name, one, other in zip(output_names(plan), found, expected, strict=True):
        error = float(np.abs(one - other).max() / max(float(np.abs(other).max()), 1e-30))
        if not error <= TOLERANCE:
            raise fail(
                "wrong-artefact",
                f"{artefact} gives other values of `{name}` than the module: off by {error:.1e} "
                "of the largest",
                expected=f"at most {TOLERANCE:.0e}",
                fix="report it, with the spec; nothing was written",
            )
        worst = max(worst, error)
    return worst
