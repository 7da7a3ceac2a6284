"""`efspec verify`: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import efspec
from efspec.deploy import deploy
from tests.cli.conftest import TINY, Run
from tests.verify.mutants import Patient, flip
from tests.verify.networks import module, weights
from tests.verify.packages import MODEL, convert, model, named
from tests.verify.programs import Call, write


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny network's spec, weights, and packages in both precisions."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY)
    plan = efspec.resolve(efspec.load(folder / "tiny.yaml"))
    state = weights(plan)
    torch.save(state, folder / "tiny.pth")
    shape = (1, *plan.input)
    passes = deploy(plan)
    arrays = passes.of({key: tensor.numpy() for key, tensor in state.items()})
    leaner = {key: torch.from_numpy(array) for key, array in arrays.items()}
    network = module(passes.plan, leaner)
    named(convert(network, shape, folder, "single"), passes.plan, leaner)
    convert(network, shape, folder, "half", half=True)
    return folder


@pytest.fixture(autouse=True)
def files(converted: Path, tmp_path: Path) -> None:
    shutil.copytree(converted, tmp_path, dirs_exist_ok=True)


NETWORK = ("--spec", "tiny.yaml", "--weights", "tiny.pth")


def test_package_that_agrees(run: Run) -> None:
    result = run("verify", "single.mlpackage", *NETWORK)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("single.mlpackage: 43 ops: conv 19, gelu 9, add 6")
    assert lines[1] == "compared with the module of tiny"
    cells = [line.split() for line in lines if line.startswith("package")]
    assert [row[1] for row in cells] == ["fp64", "fp32", "fp16"]
    assert [row[-1] for row in cells] == ["passed", "passed", "reported"]
    assert [row[-4:-1] for row in cells][1:] == [["4", "of", "4"]] * 2
    assert "named after the plan: 43 names" in lines
    assert "Neural Engine" in result.out
    assert lines[-1] == "no difference was found"


def test_package_in_half_precision_and_its_twin(run: Run) -> None:
    result = run("verify", "half.mlpackage", *NETWORK, "--twin", "single.mlpackage")
    assert (result.code, result.err) == (0, "")
    assert re.search(r"^same as its twin: 43 ops and \d+ constants$", result.out, re.MULTILINE)
    assert "it encodes the same network: the twin's ops, on its weights, rounded" in result.out
    result = run("verify", "half.mlpackage", *NETWORK)
    assert "a twin in single precision would show it" in result.out


def test_difference_ends_with_3(run: Run, tmp_path: Path) -> None:
    patient = Patient(tmp_path / "single.mlpackage")
    op = flip("conv", 7, "weight")(patient)
    patient.write()
    result = run("verify", "single.mlpackage", *NETWORK, "--images", 1)
    assert (result.code, result.err) == (3, "")
    assert f"departs at stages.0.blocks.1.mlp.fc2.conv, `{op}` (conv): the first" in result.out
    assert result.out.endswith("it is another network\n")
    assert "this proves" not in result.out
    result = run("verify", "single.mlpackage", *NETWORK, "--json")
    assert result.code == 3
    assert json.loads(result.out)["departures"][0]["path"] == "stages.0.blocks.1.mlp.fc2.conv"


def test_json(run: Run) -> None:
    result = run("verify", "half.mlpackage", "--against", "single.mlpackage", "--json")
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert report["agrees"] is True
    assert report["against"] == "single.mlpackage"
    assert report["ops"]["conv"] == 19
    assert [check["precision"] for check in report["checks"]] == ["fp32", "fp16"]
    assert report["checks"][0]["figures"]["images"] == 4
    assert set(report) >= {"file", "format", "departures", "remarks", "proves", "unproved"}


def test_json_has_no_number_that_is_none(run: Run, tmp_path: Path) -> None:
    call = Call("real_div", {"y": (1, 3, 4, 4)}, {"x": "%image", "y": 0.0})
    write(tmp_path / "x.mlpackage", [call], ["y"])
    result = run("verify", "x.mlpackage", "--against", "x.mlpackage", "--json")
    assert result.code == 3
    assert json.loads(result.out)["checks"][0]["figures"]["relative"] is None


def test_spec_in_the_package(run: Run, tmp_path: Path) -> None:
    package = tmp_path / "single.mlpackage"
    message = model(package)
    message.description.metadata.userDefined["efspec.spec"] = TINY
    (package / MODEL).write_bytes(message.SerializeToString())
    result = run("verify", "single.mlpackage", "--weights", "tiny.pth")
    assert (result.code, result.err) == (0, "")
    # What others wrote there is a spec like any other.
    wrong = TINY.replace("width: 8", "width: -8")
    message.description.metadata.userDefined["efspec.spec"] = wrong
    (package / MODEL).write_bytes(message.SerializeToString())
    result = run("verify", "single.mlpackage", "--weights", "tiny.pth")
    assert result.code == 1
    assert "single.mlpackage: efspec.spec:4:" in result.err


def test_options_that_exclude_each_other(run: Run) -> None:
    against = ("--against", "single.mlpackage")
    for options in (("--weights", "tiny.pth"), ("--spec", "tiny.yaml")):
        result = run("verify", "half.mlpackage", *against, *options)
        assert result.code == 2
        assert "compared with one thing" in result.err
    assert run("verify", "x.onnx", *against, "--twin", "single.mlpackage").code == 2
    assert run("verify", "half.mlpackage", *against, "--tolerance", "-1").code == 2


def test_tolerance(run: Run) -> None:
    against = ("--against", "single.mlpackage")
    assert run("verify", "half.mlpackage", *against, "--tolerance", "1e-6").code == 3
    result = run("verify", "half.mlpackage", *against, "--tolerance", "1e-6", "--images", 1)
    assert "departs" not in result.out
    assert "no op is named: every op gives what the other package's does" in result.err


def test_weights_of_another_network(run: Run, tmp_path: Path) -> None:
    wider = TINY.replace("classes: 10", "classes: 11")
    (tmp_path / "wider.yaml").write_text(wider)
    result = run("verify", "single.mlpackage", "--spec", "wider.yaml", "--weights", "tiny.pth")
    assert result.code == 1
    assert "error[misshapen-keys]" in result.err


@pytest.mark.parametrize("fault", ["", "weight", "node"])
def test_onnx_files_of_ours_are_held_to_what_is_written(
    run: Run, tiny: Path, tmp_path: Path, fault: str
) -> None:
    # At initial weights a layer scale of 1e-5 hides most of what its branch does.
    import onnx
    from onnx import numpy_helper

    assert run("build", tiny, "-o", "out", "-t", "onnx,weights").code == 0
    file = tmp_path / "out" / "tiny.onnx"
    model = onnx.load(file)
    if fault == "weight":
        tensor = next(t for t in model.graph.initializer if t.name.endswith("fc1.conv.weight"))
        array = numpy_helper.to_array(tensor).copy()
        array.flat[0] += 1e-3
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif fault == "node":
        node = next(n for n in model.graph.node if n.op_type == "Gelu")
        node.op_type = "Relu"
    onnx.save(model, file)
    result = run("verify", file, "--weights", tmp_path / "out" / "tiny.safetensors")
    assert result.code == (3 if fault else 0), result.out
    if fault == "weight":
        assert f"departs at {tensor.name.removesuffix('.weight')}" in result.out
    elif fault == "node":
        assert f"departs at {node.name}" in result.out
