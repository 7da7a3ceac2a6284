"""A batch norm before the global average goes through it into the classifiers."""

from __future__ import annotations

from functools import partial

import numpy as np

from efspec.deploy.edits import Bypass, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Change, State, affine, put, remove
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import BatchNorm2d, GlobalPool, Linear


def fold_final_norm(plan: Plan) -> Rewriting:
    """Scale the columns of each linear layer behind the average, and shift its bias."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for norm, _ in graph.of(BatchNorm2d):
        pool = graph.only_reader(norm)
        layers = graph.readers(pool) if pool and isinstance(pool.op, GlobalPool) else []
        if layers and all(isinstance(layer.op, Linear) for layer in layers):
            edits[norm.id] = Bypass()
            changes.append(partial(_fold, norm, layers))
    plan = rewritten(plan, edits, "Its last batch norm is in the classifier's weights.")
    return Rewriting(plan, tuple(changes))


def _fold(norm: PlacedOp, layers: list[PlacedOp], state: State) -> None:
    factor, shift = affine(state, norm)
    for layer in layers:
        weight, bias = f"{layer.prefix}weight", f"{layer.prefix}bias"
        matrix = state[weight].astype(np.float64)
        put(state, weight, matrix * factor)
        put(state, bias, state[bias] + matrix @ shift)
    remove(state, norm)
