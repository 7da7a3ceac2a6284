"""Transposing before a matrix product becomes a part of the product."""

from __future__ import annotations

from collections import defaultdict

from efspec.deploy.edits import Bypass, Edit, TransposeOperands, rewritten
from efspec.deploy.graph import Graph
from efspec.deploy.rewriting import Rewriting
from efspec.plan import Plan
from efspec.plan.ops import MatMul, Transpose


def fold_transposes(plan: Plan) -> Rewriting:
    """Let products read what was transposed for them, and them alone, as it is."""
    graph = Graph(plan)
    edits: dict[str, Edit] = {}
    operands: dict[str, set[int]] = defaultdict(set)
    for transpose, _ in graph.of(Transpose):
        readers = graph.readers(transpose)
        if readers and all(isinstance(reader.op, MatMul) for reader in readers):
            edits[transpose.id] = Bypass()
            for reader in readers:
                operands[reader.id] |= {
                    i for i, value in enumerate(reader.inputs) if value in transpose.outputs
                }
    for product, op in graph.of(MatMul):
        if product.id in operands:
            x, y = (i in operands[product.id] for i in (0, 1))
            edits[product.id] = TransposeOperands(x != op.transpose_x, y != op.transpose_y)
    return Rewriting(rewritten(plan, edits, "Matrix products transpose by themselves."))
