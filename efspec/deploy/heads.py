"""The two classifiers of a distilled network become one: a mean of affine maps is one."""

from __future__ import annotations

from functools import partial

import numpy as np

from efspec.deploy.edits import Bypass, Drop, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Change, State, put, remove
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import AverageHeads, Linear


def merge_heads(plan: Plan) -> Rewriting:
    """Average the weights instead of the logits."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for mean, _ in graph.of(AverageHeads):
        first, second = graph.maker(mean, 0), graph.maker(mean, 1)
        if (
            first
            and second
            and isinstance(first.op, Linear)
            and isinstance(second.op, Linear)
            and first.inputs == second.inputs
            and graph.only_reader(first) is graph.only_reader(second) is mean
        ):
            edits |= {mean.id: Bypass(), second.id: Drop()}
            changes.append(partial(_merge, first, second))
    return Rewriting(rewritten(plan, edits, "Both classifiers are one."), tuple(changes))


def _merge(first: PlacedOp, second: PlacedOp, state: State) -> None:
    for name in first.op.parameters():
        one, other = state[first.prefix + name], state[second.prefix + name]
        put(state, first.prefix + name, np.add(one, other, dtype=np.float64) / 2)
    remove(state, second)
