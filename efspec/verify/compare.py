"""How far apart two computations of the same thing are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from efspec.record import Record

FP32_TOLERANCE = 1e-5
"""Largest relative error in single precision. Folding norms into convolutions and summing in
another order gives 2e-6 to 5e-6 for networks of these families; the faults in the tests more."""
FP64_TOLERANCE = 1e-6
"""Largest relative error in double precision of what is stored in single precision: weights that
were folded are rounded again, which gives 1e-7 for traced packages of v1_l1 and v2_s0. A GELU by
tanh can be off by as little as 4e-6."""
FP16_TOLERANCE = 3e-2
"""Largest relative error of a package in half precision without a twin. Rounding the weights and
the activations gives up to 1e-2, so that a small fault goes unseen: hence twins."""
DEVICE_TOLERANCE = 5e-2
"""Largest relative error of what Core ML itself computes: units sum in half precision, too."""

State = Literal["passed", "failed", "reported"]


class Figures(Record):
    """How far one value is from another, at worst over several images.

    Attributes:
        max_abs: Largest difference.
        relative: Length of the difference over the length of the expected value.
        cosine: Cosine of the angle between them.
        same_top: On how many images the largest element is the same one; None where the value
            is no vector of classes.
        images: How many images there were.
    """

    max_abs: float
    relative: float
    cosine: float
    same_top: int | None
    images: int


class Check(Record):
    """Something that was looked at.

    Attributes:
        name: What was looked at.
        precision: Arithmetic of the package: `fp64`, `fp32`, `fp16`, or a compute unit; empty if
            nothing was computed.
        output: Name of the output that was compared; empty if none was.
        state: Whether it is as it should be; `reported` where nothing says how it should be.
        figures: How far the output is from the expected one.
        tolerance: Largest relative error; None where nothing bounds it.
        message: What was found, in words.
    """

    name: str
    state: State
    precision: str = ""
    output: str = ""
    figures: Figures | None = None
    tolerance: float | None = None
    message: str = ""


def figures(found: Sequence[Tensor], expected: Sequence[Tensor]) -> Figures:
    """How far values are from the expected ones, each of a list being for other images."""
    max_abs = relative = 0.0
    cosine, same, images = 1.0, 0, 0
    for batch, wanted_batch in zip(found, expected, strict=True):
        for one, wanted in zip(batch.double(), wanted_batch.double(), strict=True):
            difference = one - wanted
            max_abs = _worse(max_abs, float(difference.abs().max()))
            relative = _worse(relative, relative_error(one, wanted))
            cosine = -_worse(-cosine, -_cosine(one, wanted))
            same += int(one.argmax() == wanted.argmax())
            images += 1
    is_vector = all(batch.dim() == 2 for batch in expected)
    return Figures(max_abs, relative, cosine, same if is_vector else None, images)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Length of the difference over the length of the expected value; not a number if one is."""
    length = float(torch.linalg.vector_norm(expected))
    error = float(torch.linalg.vector_norm(found - expected))
    return error / length if length else (0.0 if error == 0 else math.inf)


def departs(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether any number is off by more than a share of the largest expected one."""
    bound = tolerance * float(expected.abs().max())
    return not float((found - expected).abs().max()) <= bound


def state_of(figures: Figures, tolerance: float | None) -> State:
    """What a tolerance makes of a relative error; what is no number is never right."""
    if not math.isfinite(figures.relative):
        return "failed"
    if tolerance is None:
        return "reported"
    return "passed" if figures.relative <= tolerance else "failed"


def _cosine(one: Tensor, other: Tensor) -> float:
    lengths = torch.linalg.vector_norm(one) * torch.linalg.vector_norm(other)
    return float((one * other).sum() / lengths) if lengths else float(torch.equal(one, other))


def _worse(one: float, other: float) -> float:
    return one if one > other or math.isnan(one) else other
