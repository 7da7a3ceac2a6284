"""What ONNX files can be; known without onnx, so that what cannot be is told at once."""

from __future__ import annotations

import math

from efspec.errors import fail
from efspec.plan import Plan

OPSET = 20
"""The first in which exact GELU is an op: no runtime has to recognise it in five others."""
OPSETS = range(18, 24)
"""The first in which a resize can leave the batch axis alone, and what follows."""
MAX_BYTES = 2**31 - 2**24
"""What a protobuf message can hold, less what is not weights."""


def check_opset(opset: int) -> None:
    """Refuse an operator set that efspec does not write.

    Raises:
        EfspecError: When it is none of `OPSETS`.
    """
    if opset not in OPSETS:
        expected = f"{OPSETS[0]} to {OPSETS[-1]}"
        raise fail("bad-opset", f"efspec writes no ONNX of opset {opset}", expected=expected)


def check_size(plan: Plan) -> None:
    """Refuse a network whose weights no ONNX file holds.

    Raises:
        EfspecError: When they are too many.
    """
    tensors = plan.parameters() | plan.buffers()
    size = 4 * sum(math.prod(shape) for shape in tensors.values())
    if size > MAX_BYTES:
        raise fail(
            "weights-too-large",
            f"the weights of {plan.name} are {size:,} bytes",
            expected=f"at most {MAX_BYTES:,} bytes, for an ONNX file",
            fix="build another target, or make the network smaller",
        )
