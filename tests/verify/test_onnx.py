"""ONNX files: onnxruntime computes them, and a node that departs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import efspec
from efspec.errors import EfspecError
from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import (
    Activation,
    Add,
    BatchNorm2d,
    Conv2d,
    DropPath,
    GlobalPool,
    LayerScale,
    Linear,
)
from efspec.verify import Reference, module_reference, onnx_reference, read_onnx, verify_onnx
from tests.verify.networks import State, weights

OPSET = 20

SPEC = {
    "efspec": 1,
    "name": "plain",
    "input": {"size": 32},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [{"width": 8, "blocks": [{"type": "ffn", "repeat": 2, "expansion_ratio": 2}]}],
    "head": {"type": "linear", "classes": 10},
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return efspec.resolve(efspec.load(SPEC))


@pytest.fixture(scope="module")
def state(plan: Plan) -> State:
    return weights(plan)


@pytest.fixture(scope="module")
def reference(plan: Plan, state: State) -> Reference:
    return module_reference(plan, state)


def written(plan: Plan, state: State, path: Path, batch: int | str = 1) -> Path:
    """A file of the plan's ops, each node named after its op."""
    tensors: list[TensorProto] = []
    nodes = []
    values = {0: "image"}

    def node(placed: PlacedOp, kind: str, *extra: str, **attributes: Any) -> None:
        inputs = [values[number] for number in placed.inputs]
        values[placed.outputs[0]] = placed.id
        nodes.append(
            helper.make_node(kind, [*inputs, *extra], [placed.id], placed.id, **attributes)
        )

    for placed in plan.ops():
        names = [placed.prefix + name for name in (*placed.op.parameters(), *placed.op.buffers())]
        names = [name for name in names if not name.endswith("num_batches_tracked")]
        for name in names:
            array = state[name].numpy()
            array = array.reshape(1, -1, 1, 1) if name.endswith("gamma") else array
            tensors.append(numpy_helper.from_array(array, name))
        match placed.op:
            case Conv2d() as op:
                pads = [op.padding] * 4
                strides = [op.stride] * 2
                node(placed, "Conv", *names, pads=pads, strides=strides, group=op.groups)
            case BatchNorm2d():
                node(placed, "BatchNormalization", *names)
            case Activation():
                node(placed, "Gelu")
            case LayerScale():
                node(placed, "Mul", *names)
            case Add():
                node(placed, "Add")
            case DropPath():
                node(placed, "Identity")
            case GlobalPool():
                axes = numpy_helper.from_array(np.array([2, 3]), "axes")
                tensors.append(axes)
                node(placed, "ReduceMean", "axes", keepdims=0)
            case Linear():
                node(placed, "Gemm", *names, transB=1)
            case op:
                raise AssertionError(op)
    nodes[-1].output[0] = "logits"
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *plan.input])
    result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 10])
    graph = helper.make_graph(nodes, plan.name, [source], [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.save(model, path)
    return path


def changed(path: Path, edit: Callable[[Any], str]) -> tuple[Path, str]:
    model = onnx.load(path)
    name = edit(model.graph)
    onnx.save(model, path)
    return path, name


def flip(tensor: str) -> Callable[[Any], str]:
    """The sign of a tensor's largest number; the node is the one that takes it."""

    def edit(graph: Any) -> str:
        (found,) = [one for one in graph.initializer if one.name == tensor]
        array = numpy_helper.to_array(found).copy()
        array.reshape(-1)[np.abs(array).argmax()] *= -1
        found.CopyFrom(numpy_helper.from_array(array, tensor))
        return next(str(node.name) for node in graph.node if tensor in node.input)

    return edit


def activation(graph: Any) -> str:
    node = [one for one in graph.node if one.op_type == "Gelu"][2]
    node.op_type = "Relu"
    return str(node.name)


def epsilon(graph: Any) -> str:
    node = [one for one in graph.node if one.op_type == "BatchNormalization"][-1]
    node.attribute.append(helper.make_attribute("epsilon", 1e-2))
    return str(node.name)


def residual(graph: Any) -> str:
    one, other = (node for node in graph.node if node.op_type == "Add")
    other.input[0] = one.input[0]
    return str(other.name)


def border(graph: Any) -> str:
    node = [one for one in graph.node if one.op_type == "Conv"][1]
    (pads,) = (one for one in node.attribute if one.name == "pads")
    pads.ints[:] = [0, 0, 2, 2]
    return str(node.name)


FAULTS = {
    "weight": flip("stem.conv2.conv.weight"),
    "bias": flip("stages.0.blocks.1.mlp.fc1.conv.bias"),
    "layer-scale": flip("stages.0.blocks.0.ls2.gamma"),
    "head": flip("head.weight"),
    "activation": activation,
    "epsilon": epsilon,
    "residual": residual,
    "border": border,
}


@pytest.mark.parametrize("batch", [1, 3, "batch"])
def test_file_agrees(
    plan: Plan, state: State, reference: Reference, tmp_path: Path, batch: int | str
) -> None:
    file = read_onnx(written(plan, state, tmp_path / "plain.onnx", batch))
    assert file.input == ("image", (batch if isinstance(batch, int) else 1, *plan.input))
    report = verify_onnx(file, reference, images=2)
    assert report.agrees
    assert (report.format, report.departures, report.remarks) == ("onnx", (), ())
    assert dict(report.ops)["Conv"] == 8
    (check,) = report.checks
    assert check.figures is not None
    assert check.figures.images == check.figures.same_top == 2 * file.input[1][0]


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_where_it_is(
    plan: Plan, state: State, reference: Reference, tmp_path: Path, name: str
) -> None:
    path, node = changed(written(plan, state, tmp_path / "plain.onnx"), FAULTS[name])
    report = verify_onnx(read_onnx(path), reference, images=1)
    assert not report.agrees
    (departure,) = report.departures
    assert departure.path == departure.op == node


def test_nothing_is_named_without_names(
    plan: Plan, state: State, reference: Reference, tmp_path: Path
) -> None:
    path, _ = changed(written(plan, state, tmp_path / "plain.onnx"), FAULTS["activation"])

    def unnamed(graph: Any) -> str:
        for node in graph.node:
            node.name = ""
        return ""

    report = verify_onnx(read_onnx(changed(path, unnamed)[0]), reference, images=1)
    assert not report.agrees
    assert report.departures == ()
    (remark,) = report.remarks
    assert remark == "no op is named: its nodes are not named after the plan's ops"


def test_file_against_a_file(plan: Plan, state: State, tmp_path: Path) -> None:
    one = read_onnx(written(plan, state, tmp_path / "one.onnx"))
    path, _ = changed(written(plan, state, tmp_path / "other.onnx"), FAULTS["bias"])
    assert verify_onnx(one, onnx_reference(one)).agrees
    report = verify_onnx(read_onnx(path), onnx_reference(one))
    assert not report.agrees
    assert report.against == "one.onnx"
    assert report.remarks == ("no op is named: there is no plan to compare its nodes with",)


def two_inputs(graph: Any) -> str:
    graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    return ""


def open_size(graph: Any) -> str:
    graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return ""


def unknown_kind(graph: Any) -> str:
    graph.node[0].domain = "org.example"
    return ""


def no_source(graph: Any) -> str:
    graph.node[1].input[0] = "nowhere"
    return ""


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (two_inputs, "other-network"),
        (open_size, "unsupported-option"),
        (unknown_kind, "damaged-package"),
        (no_source, "damaged-package"),
    ],
)
def test_file_that_cannot_be_checked(
    plan: Plan, state: State, tmp_path: Path, edit: Callable[[Any], str], name: str
) -> None:
    path = written(plan, state, tmp_path / "plain.onnx")
    model = onnx.load(path)
    edit(model.graph)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EfspecError) as error:
        onnx_reference(read_onnx(path))
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.name, diagnostic.file) == (name, str(path))


def test_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(EfspecError, match=r"error\[no-such-package\]"):
        read_onnx(path)
    for data in (b"", b"nothing"):
        path.write_bytes(data)
        with pytest.raises(EfspecError, match=r"error\[damaged-package\]"):
            read_onnx(path)


def test_file_of_another_network(plan: Plan, state: State, tmp_path: Path) -> None:
    file = read_onnx(written(plan, state, tmp_path / "plain.onnx"))
    wider = efspec.resolve(efspec.load(SPEC | {"input": {"size": 64}}))
    with pytest.raises(EfspecError, match=r"it takes 3x32x32, and the module of plain 3x64x64"):
        verify_onnx(file, module_reference(wider, weights(wider)))
