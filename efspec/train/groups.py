"""Parameters in groups that are trained alike; the plan says which is which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    plan: Plan, parameters: Iterable[tuple[str, nn.Parameter]], recipe: RecipeSpec
) -> list[dict[str, Any]]:
    """A network's parameters in groups, as optimisers take them.

    Args:
        plan: The network.
        parameters: What is to be trained, by name.
        recipe: Says the weight decay and the decay of learning rates over depth.
    """
    known = treatments(plan)
    return grouped([(parameter, known[name]) for name, parameter in parameters], recipe)


def grouped(
    parameters: Sequence[tuple[nn.Parameter, Treatment]], recipe: RecipeSpec
) -> list[dict[str, Any]]:
    """Parameters in groups of those that are trained alike; timm's schedules read `lr_scale`.

    What asks for no gradient is left out.
    """
    last = max(treatment.depth for _, treatment in parameters)
    layer_decay = recipe.optimizer.layer_decay
    groups: dict[Treatment, dict[str, Any]] = {}
    for parameter, treatment in parameters:
        if not parameter.requires_grad:
            continue
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
