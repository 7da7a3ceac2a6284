"""Packages that contradict themselves: each is told of as such, and none gets further."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from efspec.errors import EfspecError
from efspec.verify import package_reference, read_package, verify
from efspec.verify.package import OPS_KEY, model_proto
from efspec.verify.values import unpacked
from tests.verify.conftest import Small
from tests.verify.mutants import Patient, drop, numbers, swap_inputs
from tests.verify.packages import MODEL, WEIGHTS, main, model
from tests.verify.programs import Call, write


def told(path: Path, name: str) -> str:
    """The one diagnostic's message, which is of a name and a file."""
    with pytest.raises(EfspecError) as error:
        taken(path)
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.name, diagnostic.file) == (name, str(path))
    return diagnostic.message


def taken(path: Path) -> None:
    package = read_package(path)
    verify(package, package_reference(package), images=1)


@pytest.fixture
def package(made: Small, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.package.path, tmp_path / "package.mlpackage"))


def edited(package: Path, edit: Callable[[Any], None]) -> Path:
    message = model(package)
    edit(message)
    (package / MODEL).write_bytes(message.SerializeToString())
    return package


def test_manifest(package: Path) -> None:
    manifest = package / "Manifest.json"
    content = json.loads(manifest.read_text())
    root = content["rootModelIdentifier"]
    for path in ("../../../etc/passwd", "nowhere", "com.apple.CoreML"):
        content["itemInfoEntries"][root]["path"] = path
        manifest.write_text(json.dumps(content))
        expected = "the model that Manifest.json names is not in it"
        assert told(package, "damaged-package") == expected
    for text in ("", "{", "[]", '{"rootModelIdentifier": []}', "[" * 100_000):
        manifest.write_text(text)
        expected = "Manifest.json is missing, or does not name a model"
        assert told(package, "damaged-package") == expected
    manifest.unlink()
    assert told(package, "damaged-package") == expected


def test_model_that_is_none(package: Path) -> None:
    data = (package / MODEL).read_bytes()
    # A file cut at its start can parse: what its rest begins with may be a field. An endless
    # number at the start, or a field cut short, never is one.
    for damaged in (b"nothing", data[:1000], b"\xff" * 16 + data):
        (package / MODEL).write_bytes(damaged)
        assert told(package, "damaged-package") == "model.mlmodel is no Core ML model"
    (package / MODEL).write_bytes(b"")
    assert told(package, "no-program") == "it holds no model"


def test_model_of_another_kind(tmp_path: Path) -> None:
    message = model_proto().Model(specificationVersion=4)
    message.neuralNetwork.SetInParent()
    path = tmp_path / "network.mlmodel"
    path.write_bytes(message.SerializeToString())
    assert told(path, "no-program") == "it holds a model of the kind neuralNetwork"


@pytest.mark.parametrize("name", ["x.txt", "x.mlmodelc", "x.mlpackage"])
def test_what_is_no_package(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    told(path, "no-such-package")
    if name == "x.mlmodelc":
        path.mkdir()
    else:
        path.write_text("x")
    told(path, "not-a-package")


def test_weights(package: Path) -> None:
    weights = package / WEIGHTS
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    assert "the file ends before" in told(package, "damaged-package")
    weights.write_bytes(b"")
    assert "missing or empty" in told(package, "damaged-package")
    weights.unlink()
    assert "missing or empty" in told(package, "damaged-package")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 0, "no weights begin there"),
        (4, 1, "holds float16, and the program says float32"),
        (4, 99, "holds type 99, and the program says float32"),
        (9, 77, "bytes for float32 of shape"),
        (16, 255, "the file ends before its"),
    ],
)
def test_record_of_weights(package: Path, place: int, value: int, message: str) -> None:
    """`place` is what is changed of the record: its mark, its type, its size, its start."""
    patient = Patient(package)
    offset = next(
        op.attributes["val"].blobFileValue.offset
        for op in patient.ops
        if op.attributes["val"].WhichOneof("value") == "blobFileValue"
    )
    data = bytearray((package / WEIGHTS).read_bytes())
    data[offset + place + (5 if place == 16 else 0)] = value
    (package / WEIGHTS).write_bytes(data)
    assert message in told(package, "damaged-package")


def test_weights_outside(package: Path) -> None:
    def edit(message: Any) -> None:
        for op in main(message).operations:
            value = op.attributes.get("val")
            if value is not None and value.WhichOneof("value") == "blobFileValue":
                value.blobFileValue.fileName = "@model_path/../../../../secret"

    assert "outside" in told(edited(package, edit), "damaged-package")


def first(message: Any, kind: str) -> Any:
    return next(op for op in main(message).operations if op.type == kind)


def no_block(message: Any) -> None:
    message.mlProgram.functions["main"].opset = "CoreML99"


def no_output(message: Any) -> None:
    main(message).outputs[0] = "nothing"


def same_names(message: Any) -> None:
    first(message, "gelu").outputs[0].name = first(message, "conv").outputs[0].name


def name_from_nowhere(message: Any) -> None:
    first(message, "gelu").inputs["x"].arguments[0].name = "nowhere"


def no_result(message: Any) -> None:
    del first(message, "gelu").outputs[:]


def other_shape(message: Any) -> None:
    first(message, "gelu").outputs[0].type.tensorType.dimensions[1].constant.size = 7


def unknown_shape(message: Any) -> None:
    first(message, "gelu").outputs[0].type.tensorType.dimensions[1].unknown.variadic = False


def huge_shape(message: Any) -> None:
    first(message, "gelu").outputs[0].type.tensorType.dimensions[1].constant.size = 1 << 40


def unknown_type(message: Any) -> None:
    first(message, "gelu").outputs[0].type.tensorType.dataType = 40


def no_value(message: Any) -> None:
    ops = (op for op in main(message).operations if op.outputs[0].name == "input_1_pad_0")
    next(ops).attributes["val"].immediateValue.Clear()


def too_few_numbers(message: Any) -> None:
    for op in main(message).operations:
        if op.type == "const" and op.attributes["val"].immediateValue.tensor.ints.values:
            op.attributes["val"].immediateValue.tensor.ints.values.append(1)


def bad_table(message: Any) -> None:
    message.description.metadata.userDefined[OPS_KEY] = "[]"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (no_block, "it has no block for its opset 'CoreML99'"),
        (no_output, "its output `nothing` is the result of no op"),
        (same_names, "two values are called `input_3`"),
        (name_from_nowhere, "input_5, x: `nowhere` is not there yet"),
        (no_result, "an op of the kind 'gelu' makes nothing"),
        (other_shape, "input_5: is (1, 4, 32, 32), declared (1, 7, 32, 32)"),
        (unknown_shape, "input_5: its shape is not fixed, as those of vision networks are"),
        (huge_shape, "input_5: a value of shape (1, 1099511627776, 32, 32)"),
        (unknown_type, "input_5: values of the type number 40"),
        (no_value, "input_1_pad_0: a value without numbers"),
        (too_few_numbers, "input_1_pad_0: 5 numbers for the shape (4,)"),
        (bad_table, "its metadata `efspec.ops` is no table of names"),
    ],
)
def test_program(package: Path, edit: Callable[[Any], None], message: str) -> None:
    assert told(edited(package, edit), "damaged-package") == message


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (drop("conv", 0, "weight"), "input_3: conv without `weight`"),
        (numbers("conv", 0, "dilations", 3, 3), "input_3: is (1, 4, 30, 30), declared"),
        (numbers("conv", 0, "groups", 7), "input_3: conv cannot be run:"),
        (swap_inputs("matmul", 0, "x", "y"), "var_266: is (1, 8, 256, 64), declared"),
    ],
)
def test_op_that_cannot_be(package: Path, mutant: Any, message: str) -> None:
    patient = Patient(package)
    mutant(patient)
    patient.write()
    assert told(package, "damaged-package").startswith(message)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("tile", {"reps": (1 << 20, 1, 1 << 10, 1 << 10)}),
        ("pad", {"pad": (0, 1 << 30, 0, 1 << 30)}),
        ("resize_bilinear", {"target_size_height": 1 << 30, "target_size_width": 1 << 30}),
        ("upsample_bilinear", {"scale_factor_height": 1 << 28}),
        ("upsample_nearest_neighbor", {"scale_factor_height": float(1 << 28)}),
        ("avg_pool", {"kernel_sizes": (1, 1), "pad_type": "custom", "pad": (0, 1 << 30, 0, 9)}),
    ],
)
def test_what_would_be_too_large_is_not_made(tmp_path: Path, kind: str, arguments: Any) -> None:
    call = Call(kind, {"y": (1, 3, 4, 4)}, {"x": "%image", **arguments})
    message = told(write(tmp_path / "large.mlpackage", [call], ["y"]), "damaged-package")
    assert message.startswith("y: is (") or message.startswith(f"y: {kind} of (")


def test_several_functions(package: Path) -> None:
    def edit(message: Any) -> None:
        message.mlProgram.functions["other"].SetInParent()

    assert told(edited(package, edit), "unsupported-option") == "its functions are main, other"


def test_every_unknown_op_is_named(tmp_path: Path) -> None:
    shape = (1, 3, 4, 4)
    calls = [
        Call("cumsum", {"a": shape}, {"x": "%image"}),
        Call("topk", {"b": shape}, {"x": "%a"}),
        Call("cumsum", {"c": shape}, {"x": "%b"}),
        Call("constexpr_new", {"d": shape}, {"x": 1.0}),
    ]
    path = write(tmp_path / "odd.mlpackage", calls[:3], ["c"])
    with pytest.raises(EfspecError) as error:
        package_reference(read_package(path))
    assert {(d.name, d.field) for d in error.value.diagnostics} == {
        ("unknown-op", "a"),
        ("unknown-op", "b"),
    }
    path = write(tmp_path / "packed.mlpackage", calls, ["c"])
    assert told(path, "unknown-op") == "efspec does not know the op `constexpr_new`"


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
def test_packed_numbers(width: int) -> None:
    numbers = np.random.default_rng(width).integers(0, 1 << width, 37)
    whole = sum(int(n) << (i * width) for i, n in enumerate(numbers))
    data = np.frombuffer(whole.to_bytes(-(-37 * width // 8), "little"), np.uint8)
    assert unpacked(data, width, False, (37,)).tolist() == numbers.tolist()
    signed = [n - (1 << width) if n >> (width - 1) else n for n in numbers.tolist()]
    assert unpacked(data, width, True, (37,)).tolist() == signed
