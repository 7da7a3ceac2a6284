"""Parameters in groups that are trained alike; the plan says which is which."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from efspec.plan import Plan, ops_by_part
from efspec.plan.ops import Conv2d, Linear
from efspec.record import Record
from efspec.train.recipe import RecipeSpec


class Treatment(Record):
    """How a parameter is trained.

    Attributes:
        decays: Whether its weights decay: those of convolutions and linears do; biases, norms,
            layer scales and attention biases do not.
        depth: Number of its part of the network, from the stem's 0.
    """

    decays: bool
    depth: int


def treatments(plan: Plan) -> dict[str, Treatment]:
    """How each parameter is trained, by its name in the state dict."""
    return {
        placed.prefix + name: Treatment(
            name == "weight" and isinstance(placed.op, Conv2d | Linear), depth
        )
        for depth, ops in enumerate(ops_by_part(plan).values())
        for placed in ops
        for name in placed.op.parameters()
    }


def parameter_groups(
    plan: Plan,
    parameters: Iterable[tuple[str, nn.Parameter]],
    recipe: RecipeSpec,
    plan_name: Callable[[str], str] = str,
) -> list[dict[str, Any]]:
    """Parameters in groups, as optimisers take them; what timm's schedules read is `lr_scale`.

    Args:
        plan: The network; of a supernet, its largest.
        parameters: What is to be trained, by name. What asks for no gradient is left out.
        recipe: Says the weight decay and the decay of learning rates over depth.
        plan_name: The plan's name for a name of `parameters`. A supernet has several batch norms
            for one of the plan's.
    """
    known = treatments(plan)
    last = max(one.depth for one in known.values())
    groups: dict[Treatment, dict[str, Any]] = {}
    layer_decay = recipe.optimizer.layer_decay
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        treatment = known[plan_name(name)]
        if layer_decay is None:
            treatment = treatment.replaced(depth=last)
        group = groups.setdefault(
            treatment,
            {
                "params": [],
                "weight_decay": recipe.optimizer.weight_decay if treatment.decays else 0.0,
                "lr_scale": (layer_decay or 1.0) ** (last - treatment.depth),
            },
        )
        group["params"].append(parameter)
    return list(groups.values())
