"""What only training needs goes: drop path, and how initial weights are drawn."""

from __future__ import annotations

from efspec.deploy.edits import Bypass, Edit, Initialise, rewritten
from efspec.deploy.rewriting import Rewriting
from efspec.plan import Plan
from efspec.plan.ops import Conv2d, DropPath, Linear


def drop_training_only(plan: Plan) -> Rewriting:
    """Drop path is the identity in inference; weights come from a checkpoint."""
    edits: dict[str, Edit] = {}
    for placed in plan.ops():
        match placed.op:
            case DropPath():
                edits[placed.id] = Bypass()
            case Conv2d(init="trunc_normal") | Linear(init="trunc_normal"):
                edits[placed.id] = Initialise("default")
    return Rewriting(rewritten(plan, edits))
