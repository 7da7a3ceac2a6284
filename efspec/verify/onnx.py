"""ONNX files: what onnxruntime computes of them, and every value on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from efspec.coreml.options import IMAGENET, Normal
from efspec.errors import EfspecError, fail
from efspec.record import Node
from efspec.verify.bisect import Departure
from efspec.verify.compare import departs
from efspec.verify.images import Images
from efspec.verify.reference import Reference, Values

SUFFIX = ".onnx"

_DEPARTURE = 1e-4
"""Share of a value's largest number by which it departs: onnxruntime computes in single precision,
and errors of earlier ops add up."""
_ERRORS_ONLY = 3


class OnnxFile(Node):
    """An ONNX file.

    Attributes:
        path: The file.
        model: Its protobuf message, weights in other files included.
        input: Name and shape of its input; a batch axis of any size is 1.
        outputs: Names of its outputs.
        shapes: Shape of each output, batch axis left out.
        kinds: How many nodes there are of each kind.
        metadata: What whoever made it wrote into it.
    """

    path: Path
    model: Any
    input: tuple[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    kinds: Counter[str]
    metadata: Mapping[str, str]


def read_onnx(path: Path) -> OnnxFile:
    """The model in a file.

    Raises:
        EfspecError: When there is none, it is damaged, or onnx is not installed.
    """
    if not path.is_file():
        raise fail("no-such-package", "there is no such file", file=str(path))
    onnx = _imported("onnx", path)
    try:
        model = onnx.load(path)
    except Exception as error:  # of protobuf, or of a missing file of weights
        raise damaged(path, "it is no ONNX model, or its weights are missing") from error
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # onnx and protobuf have no class in common
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise damaged(path, reason[:200]) from error
    constants = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        message = f"its inputs are {names}"
        raise fail("other-network", message, file=str(path), expected="one input: an image")
    batch, *sizes = _shape(inputs[0], path)
    return OnnxFile(
        path=path,
        model=model,
        input=(inputs[0].name, (batch or 1, *sizes)),
        outputs=tuple(one.name for one in model.graph.output),
        shapes=tuple(_shape(one, path)[1:] for one in model.graph.output),
        kinds=Counter(node.op_type for node in model.graph.node),
        metadata={one.key: one.value for one in model.metadata_props},
    )


def damaged(path: Path, message: str) -> EfspecError:
    """An error about a file that no reader takes."""
    fix = "write or copy the file again"
    return fail("damaged-package", message, file=str(path), fix=fix)


class OnnxRunner:
    """A model, ready to be run by onnxruntime on the CPU.

    Attributes:
        file: The file.
    """

    def __init__(self, file: OnnxFile, model: Any = None) -> None:
        """A model's runner.

        Raises:
            EfspecError: When onnxruntime is not installed, or refuses the model.
        """
        runtime = _imported("onnxruntime", file.path)
        self.file = file
        options = runtime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        data = (file.model if model is None else model).SerializeToString()
        try:
            self._session = runtime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # a class for each reason, none of them of one family
            reason = str(error).strip().splitlines()[0]
            raise damaged(file.path, f"onnxruntime refuses it: {reason[:200]}") from error

    def run(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the model gives for images x (B, C, H, W)."""
        found = self._session.run(None, {self.file.input[0]: x.numpy()})
        return tuple(torch.from_numpy(y) for y in found)


def onnx_reference(file: OnnxFile, normal: Normal = IMAGENET) -> Reference:
    """An ONNX file, as onnxruntime computes it.

    Raises:
        EfspecError: When onnxruntime is not installed, or refuses the model.
    """
    runner = OnnxRunner(file)
    return Reference(
        name=file.path.name,
        input=file.input[1][1:],
        shapes=file.shapes,
        outputs=lambda images: runner.run(images.normal),
        normal=normal,
    )


def departure(file: OnnxFile, values: Values, images: Images) -> tuple[Departure | None, str]:
    """The first node of a plan's op whose values are not the op's, or why none can be named."""
    onnx = _imported("onnx", file.path)
    model = type(file.model)()
    model.CopyFrom(file.model)
    named = [node for node in model.graph.node if node.name in values]
    if not named:
        return None, "its nodes are not named after the plan's ops"
    del model.graph.output[:]
    expected: list[tuple[Any, Tensor]] = []
    for node in named:
        for name, wanted in zip(node.output, values[node.name], strict=False):
            expected.append((node, wanted))
            value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            model.graph.output.append(value)
    results = OnnxRunner(file, model).run(images.normal)
    for (node, wanted), found in zip(expected, results, strict=True):
        if found.numel() != wanted.numel() or departs(
            found.double().reshape(-1), wanted.reshape(-1), _DEPARTURE
        ):
            message = "the first whose values are not those of the plan's op"
            return Departure(node.name, node.op_type, node.name, message), ""
    return None, "every node that has the name of an op gives what the op does"


def _shape(value: Any, path: Path) -> tuple[int, ...]:
    """A shape; the batch axis may be 0, which stands for any size."""
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if not sizes or 0 in sizes[1:]:
        message = f"the shape of `{value.name}` is not fixed"
        raise fail("unsupported-option", message, file=str(path), expected="fixed sizes")
    return tuple(sizes)


def _imported(name: str, path: Path) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise fail(
            "missing-package",
            f"{name}, which ONNX files are checked with, is not installed",
            file=str(path),
            fix="pip install 'efspec[onnx]'",
        ) from error


def differences(file: OnnxFile, twin: Any) -> tuple[Departure, ...]:
    """The nodes of a file that are not those of its twin, or that read another tensor than there.

    Args:
        file: The file.
        twin: What efspec writes of the network, as a protobuf message.
    """
    mine, theirs = file.model.graph, twin.graph
    tensors = {one.name: _bytes(one) for one in mine.initializer}
    wrong = {one.name for one in theirs.initializer if tensors.get(one.name) != _bytes(one)}
    found = []
    for node, wanted in zip_longest(mine.node, theirs.node):
        one = node or wanted
        if node is None or wanted is None or _bytes(node) != _bytes(wanted):
            message = "is not the node that efspec writes"
        elif changed := wrong.intersection(node.input):
            message = f"`{min(changed)}` is not what it is by the weights"
        else:
            continue
        found.append(Departure(one.name, one.op_type, one.name, message))
    return tuple(found)


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
