"""Ops that change nothing go: averages of one pixel, and resizing to the size that is there."""

from __future__ import annotations

from efspec.deploy.edits import Bypass, rewritten
from efspec.deploy.rewriting import Rewriting
from efspec.plan import Plan
from efspec.plan.ops import AvgPool2d, Upsample


def bypass_identities(plan: Plan) -> Rewriting:
    """Windows of one pixel that do not step, and upsampling that has nothing to do."""
    found = [
        placed.id
        for placed in plan.ops()
        if placed.op == AvgPool2d(1)
        or (isinstance(placed.op, Upsample) and placed.input_shapes == placed.output_shapes)
    ]
    return Rewriting(rewritten(plan, dict.fromkeys(found, Bypass())))
