"""The scale of attention's scores goes into the projection that makes the queries."""

from __future__ import annotations

from functools import partial

import numpy as np

from efspec.deploy.edits import Bypass, Edit, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.weights import Array, Change, scale
from efspec.plan import PlacedOp, Plan, Shape
from efspec.plan.ops import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    MatMul,
    Scale,
    Split,
    SplitHeads,
    Transpose,
)


def fold_query_scale(plan: Plan) -> Rewriting:
    """Scale the rows of the layer that become the first operand of the scores' product."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    changes: list[Change] = []
    for scaling, op in graph.of(Scale):
        product = graph.maker(scaling)
        if not (product and isinstance(product.op, MatMul)):
            continue
        found = _projection(graph, product)
        if found and graph.only_reader(product) is scaling:
            layer, rows = found
            edits[scaling.id] = Bypass()
            factor = np.where(rows, float(op.base) ** op.exponent, 1.0)
            changes.append(partial(scale, layer=layer, factor=factor))
    plan = rewritten(plan, edits, "The scores are scaled in the weights of the queries.")
    return Rewriting(plan, tuple(changes))


def _projection(graph: Graph, product: PlacedOp) -> tuple[PlacedOp, Array] | None:
    """The layer behind a product's first operand, and which of its output channels that is."""
    parts: list[tuple[int, int, int]] = []  # first, last and all channels of a head
    reader, placed = product, graph.maker(product)
    while placed is not None:
        number = placed.outputs.index(reader.inputs[0])
        if graph.only_reader(placed, number) is not reader:
            return None
        match placed.op:
            case Transpose() | Flatten() | SplitHeads():
                pass
            case Split(parts=sizes):
                first = sum(sizes[:number])
                parts.append((first, first + sizes[number], sum(sizes)))
            case Conv2d() | Linear() | BatchNorm2d():
                return placed, _rows(placed.output_shapes[0], parts)
            case _:
                return None
        reader, placed = placed, graph.maker(placed)
    return None


def _rows(shape: Shape, parts: list[tuple[int, int, int]]) -> Array:
    """Which channels of a layer's output are in the parts that were taken of each head."""
    if not parts:
        return np.ones(shape.channels, bool)
    ((first, last, all_),) = parts  # heads are split once
    inside = np.arange(all_)
    return np.tile((first <= inside) & (inside < last), shape.channels // all_)
