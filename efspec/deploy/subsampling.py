"""Subsampling beside a depthwise convolution of the same stride becomes one of its taps."""

from __future__ import annotations

from functools import partial

import numpy as np

from efspec.deploy.edits import Bypass, Drop, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Change, State, put
from efspec.plan import PlacedOp, Plan
from efspec.plan.op import pair
from efspec.plan.ops import Add, AvgPool2d, Conv2d


def fold_subsampling(plan: Plan) -> Rewriting:
    """Add 1 to the tap of each kernel that stands on the pixel which subsampling takes."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for total, _ in graph.of(Add):
        conv, taken = graph.maker(total, 0), graph.maker(total, 1)
        if conv and taken and _is_pair(graph, total, conv, taken):
            edits |= {total.id: Bypass(), taken.id: Drop()}
            changes.append(partial(_fold, conv))
    plan = rewritten(plan, edits, "Subsampling is a tap of the local convolution.")
    return Rewriting(plan, tuple(changes))


def _fold(conv: PlacedOp, state: State) -> None:
    assert isinstance(conv.op, Conv2d)  # of the pair, the first
    kernel = state[f"{conv.prefix}weight"].astype(np.float64)
    row, column = pair(conv.op.padding)
    kernel[:, 0, row, column] += 1
    put(state, f"{conv.prefix}weight", kernel)


def _is_pair(graph: Graph, total: PlacedOp, conv: PlacedOp, taken: PlacedOp) -> bool:
    """Whether these are a depthwise convolution and subsampling whose sum is all that is read."""
    return (
        isinstance(conv.op, Conv2d)
        and taken.op == AvgPool2d(1, conv.op.stride)
        and conv.inputs == taken.inputs
        and conv.op.groups == conv.op.in_channels == conv.op.out_channels
        and max(pair(conv.op.padding)) < conv.op.kernel_size
        and graph.only_reader(conv) is graph.only_reader(taken) is total
    )
