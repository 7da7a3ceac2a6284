"""Attention biases are looked up once, and go through the talking heads that mix them."""

from __future__ import annotations

from functools import partial

import numpy as np

from efspec.deploy.edits import Edit, LookUp, SwapWithNext, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Array, Change, State, put, remove
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import AttentionBias, Conv2d, ScoreBias


def look_up_attention_bias(plan: Plan) -> Rewriting:
    """A number for each score in place of a table of offsets and an index into it."""
    found = [placed for placed, _ in Graph(plan).of(AttentionBias)]
    edits = dict.fromkeys([bias.id for bias in found], LookUp())
    plan = rewritten(plan, edits, "The bias of each score was looked up.")
    return Rewriting(plan, tuple(partial(_look_up, bias) for bias in found))


def mix_attention_bias(plan: Plan) -> Rewriting:
    """Mix a bias as the talking heads behind it do, and add it behind them.

    Their convolution then follows the product, and the sum goes into the softmax.
    """
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for bias, _ in graph.of(ScoreBias):
        heads = graph.only_reader(bias)
        if heads and _is_next(graph, bias, heads) and _mixes_heads(heads):
            edits[bias.id] = SwapWithNext()
            changes.append(partial(_mix, bias, heads))
    plan = rewritten(plan, edits, "The bias of the scores is added behind the mixed heads.")
    return Rewriting(plan, tuple(changes))


def relative_offsets(op: AttentionBias) -> Array:
    """Index (Nq, Nk) into the bias table of the absolute offset of each query and key."""
    rows, columns = np.arange(op.height), np.arange(op.width)

    def between(positions: Array) -> Array:
        queries, keys = positions[:: op.query_stride], positions[:: op.key_stride]
        offsets: Array = np.abs(queries[:, None] - keys[None, :])
        return offsets

    dy, dx = between(rows), between(columns)  # (Hq, Hk) and (Wq, Wk)
    index = dy[:, None, :, None] * op.width + dx[None, :, None, :]
    flat: Array = index.reshape(dy.shape[0] * dx.shape[0], -1)
    return flat


def _look_up(bias: PlacedOp, state: State) -> None:
    assert isinstance(bias.op, AttentionBias)
    table = state[f"{bias.prefix}attention_biases"][:, relative_offsets(bias.op)]
    remove(state, bias)
    state[f"{bias.prefix}attention_bias"] = table


def _mix(bias: PlacedOp, heads: PlacedOp, state: State) -> None:
    name = f"{bias.prefix}attention_bias"
    matrix = state[f"{heads.prefix}weight"][:, :, 0, 0].astype(np.float64)
    put(state, name, np.einsum("gh,hqk->gqk", matrix, state[name]))


def _is_next(graph: Graph, placed: PlacedOp, other: PlacedOp) -> bool:
    """Whether another op is the next one of the same module."""
    inside = other.prefix.removeprefix(placed.prefix)
    following = graph.ops[graph.ops.index(placed) + 1]
    return following is other and inside.count(".") == 1


def _mixes_heads(placed: PlacedOp) -> bool:
    """Whether an op is a 1x1 convolution of scores (h, Nq, Nk) to as many heads."""
    match placed.op:
        case Conv2d(kernel_size=1, stride=1, padding=0, groups=1) as op:
            return op.in_channels == op.out_channels
    return False
