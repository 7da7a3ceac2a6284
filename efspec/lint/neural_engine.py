"""Rules about ops that were seen to leave the Neural Engine.

Only what networks here can hold, and what somebody saw the system say. What is emitted is looked at
op by op when a package is built: `efspec.coreml.lint` has that list.
"""

from __future__ import annotations

from collections.abc import Iterator

from efspec.lint.rule import Match, Rule, option, placed_entries
from efspec.plan import Plan, ops_by_part
from efspec.plan.ops import AvgPool2d, Upsample
from efspec.spec.schema import NetworkSpec

LARGEST_WINDOW = 13
FACTOR = 2
GRID = 32
"""Sides of images that are multiples of this are halved without rest down to the last stage."""
USUAL_WINDOW = 3
NOT_TOLD = "a table does not say where an op runs"
THREAD = "hollance/neural-engine, issue 2 (2020): messages of Core ML about MobileNetV3"


def _windows(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    ops = ops_by_part(plan)
    for loc, entry, part in placed_entries(spec, plan):
        windows = [o.op.kernel_size for o in ops[part.path] if isinstance(o.op, AvgPool2d)]
        if windows and max(windows) > LARGEST_WINDOW:
            own = (*loc, "pool_size")
            changes = (option(own, str(USUAL_WINDOW)),) if hasattr(entry, "pool_size") else ()
            message = f"averages of windows of {max(windows)}x{max(windows)}"
            yield Match(own if changes else loc, part.path, message, changes, NOT_TOLD)


def _upsampling(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    """The first that rounds, which the size of the image decides for all."""
    for placed in plan.ops():
        op = placed.op
        if not isinstance(op, Upsample):
            continue
        _, height, width = placed.input_shapes[0].sizes
        if (op.height, op.width) != (FACTOR * height, FACTOR * width):
            message = f"{height}x{width} are upsampled to {op.height}x{op.width}"
            sides = [max(1, round(side / GRID)) * GRID for side in spec.input.height_width]
            better = str(sides[0]) if sides[0] == sides[1] else str(sides)
            loc = ("input", "size")
            yield Match(loc, placed.id, message, (option(loc, better),), NOT_TOLD)
            return


LARGE_WINDOWS = Rule(
    "large-pool",
    "elsewhere",
    "an Apple device",
    "",
    f"Core ML calls average pooling of windows above {LARGEST_WINDOW} unsupported on the Neural"
    " Engine",
    THREAD,
    f"average windows of 3x3, as the published networks do, or of {LARGEST_WINDOW}x{LARGEST_WINDOW}"
    " at most",
    _windows,
)
ROUNDED_UPSAMPLING = Rule(
    "rounded-upsampling",
    "elsewhere",
    "an Apple device",
    "",
    "Core ML calls upsampling by anything but 2 unsupported on the Neural Engine",
    THREAD,
    f"use an image whose sides are multiples of {GRID}, so that maps halve without rest",
    _upsampling,
)
