"""What the input and the outputs of a deployed network are called, in every format."""

from __future__ import annotations

import re

from efspec.plan.module import Plan

INPUT = "image"
LOGITS = "logits"


def output_names(plan: Plan) -> tuple[str, ...]:
    """`logits` of a classifier; of a backbone `stages_2` and the like, after each map's stage.

    They are identifiers, which Core ML asks for and no other format minds.
    """
    stage_of: dict[int, int] = {}
    stage = 0
    for placed in plan.ops():
        # What comes between two stages, a norm or a conversion, belongs to the one before it.
        if found := re.match(r"stages\.(\d+)\b", placed.id):
            stage = int(found[1])
        stage_of |= dict.fromkeys(placed.outputs, stage)
    values = plan.network.outputs
    return tuple(
        LOGITS if value.shape.space is None else f"stages_{stage_of[number]}"
        for value, number in zip(values, plan.outputs(), strict=True)
    )
