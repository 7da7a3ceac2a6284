"""From a plan and its weights to an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, checker, helper

from efspec.onnx.graph import Graph
from efspec.onnx.limits import OPSET, check_opset, check_size
from efspec.onnx.nodes import Tensors, nodes
from efspec.plan import Plan
from efspec.plan.names import INPUT, output_names

_BATCH = "batch"
"""Name of the batch axis where it may be of any size."""


def emit(
    plan: Plan,
    weights: Mapping[str, npt.NDArray[np.generic]],
    *,
    opset: int = OPSET,
    dynamic_batch: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """The ONNX model of a plan: `image` (B, C, H, W) to what `output_names` tells.

    A node and the value it makes have the id of their op; where an op takes several nodes, those
    before its last have a word more. An initializer with a name of the state dict is the tensor
    of that name.

    Args:
        plan: The network.
        weights: Its tensors by their names in the state dict; taken in single precision.
        opset: Version of the operator set, of `OPSETS`.
        dynamic_batch: Whether the batch may be of any size, and not only 1.
        metadata: What the model is to carry along.

    Raises:
        EfspecError: When there is no such opset, or the weights do not fit into a file.
        KeyError: When a tensor is missing.
        ValueError: When a tensor has another shape than the plan says.
    """
    check_opset(opset)
    check_size(plan)
    graph = Graph(opset, 0 if dynamic_batch else 1)
    shapes = plan.parameters() | plan.buffers()
    values: dict[int, str] = {0: INPUT}
    sizes: dict[int, tuple[int, ...]] = {0: plan.input}
    for placed in plan.ops():
        tensors = Tensors(graph, placed.prefix, weights, shapes)
        results = nodes(graph, placed, tensors, [values[number] for number in placed.inputs])
        for number, shape, result in zip(
            placed.outputs, placed.output_shapes, results, strict=True
        ):
            values[number], sizes[number] = result, shape.sizes
    names = output_names(plan)
    kept, initializers = graph.finish([values[number] for number in plan.outputs()], names)
    batch = _BATCH if dynamic_batch else 1
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            kept,
            plan.name,
            [_value(INPUT, batch, plan.input)],
            [
                _value(name, batch, sizes[number])
                for name, number in zip(names, plan.outputs(), strict=True)
            ],
            initializers,
            doc_string=plan.description,
        ),
        opset_imports=imports,
        # The oldest that holds the opset: more readers take it, and nothing here needs more.
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="efspec",
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model


def encode(model: ModelProto) -> bytes:
    """The bytes of a model; equal ones give equal bytes, in any process."""
    return bytes(model.SerializeToString(deterministic=True))


def check(model: ModelProto) -> None:
    """Hold a model to the rules of ONNX, and its shapes to what follows from its nodes.

    Raises:
        ValueError: When it breaks them, which would be a mistake of efspec's.
    """
    checker.check_model(model, full_check=True)


def _value(name: str, batch: int | str, sizes: tuple[int, ...]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *sizes])
