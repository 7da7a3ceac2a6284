"""ONNX models: valid, named after the plan, and equal to the module in onnxruntime."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar, get_args

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from onnx import ModelProto, numpy_helper, shape_inference

import efspec
from efspec.deploy import Weights, deploy
from efspec.onnx.emit import check, emit, encode
from efspec.onnx.limits import OPSET, OPSETS
from efspec.onnx.runtime import run
from efspec.plan import AnyOp, Block, Builder, Plan, Value, map_shape, trace
from efspec.plan.names import output_names
from efspec.plan.ops import (
    ACTIVATIONS,
    Add,
    Flatten,
    MatMul,
    MergeHeads,
    ScoreBias,
    Softmax,
    SplitHeads,
    Transpose,
    Unflatten,
)
from efspec.pytorch import reference
from efspec.pytorch.adapt import adapt
from tests.pytorch.test_build import EVERY_BLOCK
from tests.pytorch.test_golden import MODELS, checkpoint, golden, logits_of
from tests.pytorch.test_random import filled
from tests.strategies import networks

EXAMPLES = 60
State = dict[str, torch.Tensor]


def network(**changes: Any) -> Plan:
    return efspec.resolve(efspec.load({**EVERY_BLOCK, **changes}))


def state_of(plan: Plan) -> State:
    sizes = plan.parameters() | plan.buffers()
    # A bias per score is filled as the table that it comes from.
    names = {key: re.sub("attention_bias$", "attention_biases", key) for key in sizes}
    values = filled({names[key]: torch.empty(shape) for key, shape in sizes.items()})
    return {key: values[names[key]] for key in sizes}


def arrays(state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {key: tensor.numpy() for key, tensor in state.items()}


def shapes(model: ModelProto) -> dict[str, list[int | str]]:
    """Shape of each value, as onnx infers it."""
    graph = shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    return {
        info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*graph.value_info, *graph.output)
    }


def agree(plan: Plan, batch: int = 1, *, deployed: bool = False, **options: Any) -> ModelProto:
    """Everything that has to hold of a model; gives the model.

    Args:
        plan: The network.
        batch: How many images; the model takes any number if it is not 1.
        deployed: Whether the model is of the plan as it is deployed.
        options: As `emit` takes them.
    """
    state = state_of(plan)
    x = reference.images(plan, batch)
    wanted = reference.outputs(plan, state, x)
    weights: Weights = arrays(state)
    if deployed:
        rewritten = deploy(plan)
        plan, weights = rewritten.plan, rewritten.of(weights)
    model = emit(plan, weights, dynamic_batch=batch > 1, **options)
    check(model)
    names = output_names(plan)
    assert tuple(output.name for output in model.graph.output) == names
    found_shapes = shapes(model)
    first = "batch" if batch > 1 else 1
    renamed = dict(zip(plan.outputs(), names, strict=True))
    for placed in plan.ops():
        for number, shape in zip(placed.outputs, placed.output_shapes, strict=True):
            name = renamed.get(number, placed.id)
            if name in found_shapes:  # what was bypassed is not there
                assert found_shapes[name][1:] == list(shape.sizes), name
                # What becomes of the batch in a resize is beyond onnx's inference.
                assert found_shapes[name][0] == first or batch > 1, name
    results = run(encode(model), x)
    assert {result.dtype for result in results} == {np.dtype(np.float32)}
    reference.difference(plan, results, wanted, "the model")
    return model


@pytest.mark.parametrize("model", MODELS)
def test_golden_checkpoints_give_the_golden_logits(model: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    deployed = deploy(plan)
    weights = deployed.of(arrays(adapt(plan, checkpoint(model, "official")).state))
    file = encode(emit(deployed.plan, weights, dynamic_batch=True))
    (logits,) = run(file, golden.image(2, 224))
    assert np.abs(logits - logits_of(model, "official")).max() < 1e-5


def test_random_networks() -> None:
    numbers = count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        database=None,
    )
    @given(networks(max_size=128))
    def check_one(fields: dict[str, Any]) -> None:
        number = next(numbers)
        plan = efspec.resolve(efspec.load(fields))
        agree(plan, batch=1 + number % 2, deployed=number % 4 < 2)

    check_one()


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_opset_and_batch(opset: int, batch: int) -> None:
    plan = network(input={"size": [65, 49]})  # an odd map is upsampled to a size, not by a factor
    model = agree(plan, batch, opset=opset)
    assert [(i.domain, i.version) for i in model.opset_import] == [("", opset)]
    assert model.ir_version <= onnx.helper.find_min_ir_version_for(model.opset_import)


@pytest.mark.parametrize("opset", [OPSETS[0], OPSET])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_every_activation(act: str, opset: int) -> None:
    model = agree(network(defaults={"act": act}), opset=opset)
    kinds = {node.op_type for node in model.graph.node}
    assert ("Erf" in kinds) == (act == "gelu" and opset < 20)
    assert ("Gelu" in kinds) == (act == "gelu" and opset >= 20)


class Deployed(Block):
    """Attention as deployment leaves it, with products of transposed matrices."""

    def forward(self, b: Builder, x: Value) -> Value:
        """(h * d, H, W) to (h * d, H, W)."""
        channels, height, width = x.shape.sizes
        tokens = height * width
        v = b.apply(SplitHeads(2, channels // 2), b.apply(Flatten(), x), var="v")
        attn = b.apply(MatMul(transpose_x=True), v, v, var="attn")
        attn = b.apply(Softmax(), b.apply(ScoreBias(2, tokens, tokens), attn), var="attn")
        both = b.apply(MatMul(transpose_x=True, transpose_y=True), attn, v, var="both")
        x = b.apply(MatMul(transpose_y=True), v, attn, var="x")
        x = b.apply(Add(), x, b.apply(Transpose(), both), var="x")
        return b.apply(Unflatten(height, width), b.apply(MergeHeads(), x))


class DeployedNetwork(Block):
    """A network of it."""

    inline: ClassVar[bool] = True

    def forward(self, b: Builder, x: Value) -> Value:
        """(h * d, H, W) to (h * d, H, W)."""
        return b.call("block", Deployed(), x)


DEPLOYED = Plan("deployed", "", "", trace(DeployedNetwork(), map_shape(6, 5, 3)))


@pytest.mark.parametrize("batch", [1, 2])
def test_products_of_transposed_matrices(batch: int) -> None:
    model = agree(DEPLOYED, batch)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Reshape"] == 2  # of four
    assert kinds["Transpose"] == 3  # of five, two of which are of the same value


def test_every_op_is_seen() -> None:
    """By the test of random networks at the latest; this one says so without chance."""
    plans = [network(defaults={"drop_path": 0.1}), *FEATURES, DEPLOYED]
    seen = {type(placed.op) for plan in plans for placed in plan.ops()}
    assert seen == set(get_args(AnyOp))


FEATURES = [
    network(head={"type": "features", "stages": [0, 1], "norm": norm}, input={"size": [33, 47]})
    for norm in ("none", "batch", "layer")
]


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("plan", FEATURES)
def test_backbones(plan: Plan, batch: int, deployed: bool) -> None:
    agree(plan, batch, deployed=deployed)


@pytest.mark.parametrize("batch", [1, 2])
def test_small_and_large_maps_are_upsampled(batch: int) -> None:
    block = {"type": "attn_ffn", "stride": 2, "num_heads": 1, "key_dim": 2, "attn_ratio": 1}
    stage = {"width": 4, "blocks": [{**block, "expansion_ratio": 1}]}
    for size, kind in (([64, 60], "MatMul"), ([68, 61], "Resize")):
        stem = {"type": "conv_stem", "width": 4}
        model = agree(network(input={"size": size}, stem=stem, stages=[stage]), batch)
        found = {node.op_type for node in model.graph.node if "upsample" in node.name}
        assert found - {"Reshape"} == {kind}


def test_names_are_those_of_the_plan() -> None:
    plan = network()
    state = arrays(state_of(plan))
    model = emit(plan, state)
    graph = model.graph
    ids = {placed.id for placed in plan.ops()}
    for node in graph.node:
        own = next(name for name in (node.name, node.name.rpartition("/")[0]) if name in ids)
        assert all(
            value == node.name or value.startswith(f"{own}/") or value == "logits"
            for value in node.output
        )
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    used = {value for node in graph.node for value in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used
    for tensor in graph.initializer:
        if tensor.name in state:
            assert np.array_equal(numpy_helper.to_array(tensor), state[tensor.name])
    assert [i.name for i in graph.input] == ["image"]


def test_weights_of_other_types_are_taken_in_single_precision() -> None:
    plan = network()
    state = arrays(state_of(plan))
    halves = {key: tensor.astype(np.float16) for key, tensor in state.items()}
    singles = {key: tensor.astype(np.float32) for key, tensor in halves.items()}
    assert encode(emit(plan, halves)) == encode(emit(plan, singles))


def test_what_is_missing_or_misshapen_is_a_mistake_of_the_caller() -> None:
    plan = network()
    state = arrays(state_of(plan))
    key = "stem.conv1.conv.weight"
    with pytest.raises(ValueError, match=r"stem\.conv1\.conv\.weight: \(1,\), planned"):
        emit(plan, {**state, key: np.zeros(1)})
    del state[key]
    with pytest.raises(KeyError, match=key):
        emit(plan, state)


BYTES = """
import hashlib
import numpy as np
import efspec
from efspec.deploy import Weights, deploy
from efspec.onnx.emit import emit, encode
plan = efspec.resolve(efspec.load("v2_s0", set=["input.size=64"]))
state = {key: np.ones(s) for key, s in (plan.parameters() | plan.buffers()).items()}
metadata = {"b": "1", "a": "2", "c": "3"}
print(hashlib.sha256(encode(emit(plan, state, metadata=metadata))).hexdigest())
"""


def test_the_same_bytes_in_every_process() -> None:
    hashes = set()
    for seed in ("0", "1"):
        result = subprocess.run(
            [sys.executable, "-c", BYTES], env={"PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        hashes.add(result.stdout)
    assert len(hashes) == 1
