"""Packages of a few ops, written message by message: what no tool would write, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from efspec.verify import read_package
from efspec.verify.package import model_proto
from efspec.verify.run import Precision, Runner
from tests.verify.packages import MODEL

CODES = {"bool": 1, "float16": 10, "float32": 11, "int32": 23}

Argument = str | bool | int | float | np.ndarray | Sequence[Any]
"""`%name` is a value, any other text a constant; a list of such is an argument of several."""


class Call(NamedTuple):
    """An op: its kind, the name and shape of each result, and its arguments."""

    kind: str
    results: Mapping[str, tuple[int, ...]]
    arguments: Mapping[str, Argument]
    dtype: str = "float32"


def write(
    path: Path,
    calls: Sequence[Call],
    outputs: Sequence[str],
    *,
    shape: tuple[int, ...] = (1, 3, 4, 4),
    dtype: str = "float32",
    order: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A package of ops on the input `image`; `order` makes that one of pixels."""
    message = model_proto().Model(specificationVersion=7)
    message.mlProgram.version = 1
    main = message.mlProgram.functions["main"]
    main.opset = "CoreML6"
    source = main.inputs.add(name="image")
    _tensor(source.type.tensorType, dtype, shape)
    feature = message.description.input.add(name="image")
    if order:
        image = feature.type.imageType
        image.colorSpace = image.ColorSpace.Value(order)
        image.height, image.width = shape[2:]
    else:
        feature.type.multiArrayType.shape.extend(shape)
    block = main.block_specializations["CoreML6"]
    block.outputs.extend(outputs)
    for call in calls:
        op = block.operations.add(type=call.kind)
        for name, sizes in call.results.items():
            _tensor(op.outputs.add(name=name).type.tensorType, call.dtype, sizes)
        for name, argument in call.arguments.items():
            several = argument if isinstance(argument, list) else [argument]
            for one in several:
                binding = op.inputs[name].arguments.add()
                if isinstance(one, str) and one.startswith("%"):
                    binding.name = one[1:]
                else:
                    _value(binding.value, one)
    for name in outputs:
        message.description.output.add(name=name)
    message.description.metadata.userDefined.update(metadata or {})
    (path / MODEL).parent.mkdir(parents=True)
    (path / MODEL).write_bytes(message.SerializeToString(deterministic=True))
    item = {"path": "com.apple.CoreML/model.mlmodel"}
    manifest = {"itemInfoEntries": {"model": item}, "rootModelIdentifier": "model"}
    (path / "Manifest.json").write_text(json.dumps(manifest))
    return path


def result(
    folder: Path,
    kind: str,
    x: Tensor,
    shape: Sequence[int],
    precision: Precision = "fp32",
    /,
    **arguments: Argument,
) -> Tensor:
    """What one op gives for a value, its `x` unless that is said to be nothing; read from disk."""
    given = {"x": "%image", **arguments}
    call = Call(
        kind,
        {"y": tuple(shape)},
        {k: v for k, v in given.items() if not (isinstance(v, str) and v == "")},
    )
    path = write(folder / f"{kind}.mlpackage", [call], ["y"], shape=tuple(x.shape))
    (y,) = Runner(read_package(path).program, precision).run(x)
    return y


def _tensor(message: Any, dtype: str, shape: Sequence[int]) -> None:
    message.dataType, message.rank = CODES[dtype], len(shape)
    for size in shape:
        message.dimensions.add().constant.size = size


def _value(message: Any, value: Argument) -> None:
    if isinstance(value, str):
        message.type.tensorType.dataType = 2
        message.immediateValue.tensor.strings.values.append(value)
        return
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        message.type.listType.length.constant.size = len(value)
        for text in value:
            _value(message.immediateValue.list.values.add(), text)
        return
    array = np.asarray(value)
    if array.dtype.kind in "if":
        array = array.astype({"i": np.int32, "f": np.float32}[array.dtype.kind])
    _tensor(message.type.tensorType, array.dtype.name, array.shape)
    field = {"b": "bools", "i": "ints", "f": "floats"}[array.dtype.kind]
    getattr(message.immediateValue.tensor, field).values.extend(array.reshape(-1).tolist())


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
