"""A layer scale goes into the layer that makes what it scales."""

from __future__ import annotations

from functools import partial

from efspec.deploy.edits import Bypass, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Change, State, remove, scale
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import BatchNorm2d, Conv2d, LayerNorm, LayerScale, Linear


def fold_layer_scale(plan: Plan) -> Rewriting:
    """Scale the layer's weights and bias; behind anything but an affine layer a scale stays."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for gamma, _ in graph.of(LayerScale):
        layer = graph.maker(gamma)
        if (
            layer
            and isinstance(layer.op, Conv2d | Linear | BatchNorm2d | LayerNorm)
            and graph.only_reader(layer) is gamma
        ):
            edits[gamma.id] = Bypass()
            changes.append(partial(_fold, layer, gamma))
    plan = rewritten(plan, edits, "Its layer scale is in the weights before it.")
    return Rewriting(plan, tuple(changes))


def _fold(layer: PlacedOp, gamma: PlacedOp, state: State) -> None:
    scale(state, layer, state[f"{gamma.prefix}gamma"])
    remove(state, gamma)
