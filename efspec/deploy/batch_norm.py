"""A batch norm behind a convolution becomes a part of it: both are affine, per channel."""

from __future__ import annotations

from functools import partial

from efspec.deploy.edits import Bypass, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Change, State, affine, remove, scale
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import BatchNorm2d, Conv2d


def fold_batch_norm(plan: Plan) -> Rewriting:
    """Scale the convolution's weights by what the norm multiplies with, and shift its bias."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for norm, _ in graph.of(BatchNorm2d):
        conv = graph.maker(norm)
        if conv and isinstance(conv.op, Conv2d) and graph.only_reader(conv) is norm:
            edits[norm.id] = Bypass()
            changes.append(partial(_fold, conv, norm))
    plan = rewritten(plan, edits, "Its batch norm is in the convolution's weights.")
    return Rewriting(plan, tuple(changes))


def _fold(conv: PlacedOp, norm: PlacedOp, state: State) -> None:
    scale(state, conv, *affine(state, norm))
    remove(state, norm)
