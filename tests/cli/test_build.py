"""`efspec build`: whole artefacts, true hashes, and folders that survive interruptions."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import efspec
from efspec.cli.artefacts import MANIFEST, steps, write_artefacts
from efspec.cli.targets import TARGETS, Ingredients
from tests.cli.conftest import Run
from tests.pytorch.test_golden import checkpoint


def manifest(folder: Path) -> Any:
    """The list of a folder, after a check of every hash in it."""
    listing = json.loads((folder / MANIFEST).read_text())
    for entry in listing["artefacts"].values():
        path = folder / entry["file"]
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        if path.is_dir():  # what `sha256sum` prints in it
            lines = (f"{digest}  {file.relative_to(path)}\n" for file, digest in digests.items())
            digests[path] = hashlib.sha256("".join(lines).encode()).hexdigest()
        assert entry["sha256"] == digests[path]
        assert entry["bytes"] == sum(file.stat().st_size for file in files)
    return listing


def test_it_writes_what_a_user_takes_away(run: Run, tiny: Path, tmp_path: Path) -> None:
    result = run("build", "tiny.yaml")
    assert (result.code, result.err) == (0, "")
    folder = tmp_path / "build" / "tiny"
    names = {"tiny.py", "tiny.safetensors", "tiny.mlpackage", "tiny.md", "tiny.html"}
    assert {p.name for p in folder.iterdir()} == {*names, MANIFEST}
    spec = efspec.load(tiny)
    listing = manifest(folder)
    assert listing["name"] == "tiny"
    assert listing["hash"] == efspec.score(spec).hash
    assert listing["input"] == [3, 32, 32]
    assert list(listing["artefacts"]) == ["code", "weights", "coreml", "card", "page"]
    for name, entry in listing["artefacts"].items():
        (line,) = (one for one in result.out.splitlines() if f"build/tiny/{entry['file']} " in one)
        assert f" {entry['bytes']:,}  " in line
        assert line.endswith("-") == (name != "coreml")
    assert re.search("fp32 twin as the module, to .*; in fp16 off by .*%, top class", result.out)
    assert (folder / "tiny.py").read_text() == efspec.generate(spec)
    expected = efspec.build(spec).state_dict()
    weights = load_file(folder / "tiny.safetensors")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_json_is_the_list(run: Run, tiny: Path, tmp_path: Path) -> None:
    result = run("build", tiny, "-o", "folder/below", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.out == (tmp_path / "folder" / "below" / MANIFEST).read_text()


@pytest.mark.parametrize("targets", ["code", "weights", "weights, code", "code,,code"])
def test_it_writes_what_is_wanted(run: Run, tiny: Path, tmp_path: Path, targets: str) -> None:
    assert run("build", tiny, "-o", "out", "-t", targets).code == 0
    wanted = {name.strip() for name in targets.split(",")} - {""}
    assert manifest(tmp_path / "out")["artefacts"].keys() == wanted
    assert len(list((tmp_path / "out").iterdir())) == len(wanted) + 1


def test_the_same_build_gives_the_same_bytes_and_a_seed_changes_weights(
    run: Run, tiny: Path
) -> None:
    first = run("build", tiny, "--json").out
    assert run("build", tiny, "--json").out == first
    assert run("build", tiny, "--json", "--seed", "0").out == first
    assert {"coreml", "card", "page"} < json.loads(first)["artefacts"].keys()
    other = json.loads(run("build", tiny, "--json", "--seed", str(2**64 - 1)).out)
    same = json.loads(first)
    assert other["artefacts"]["code"] == same["artefacts"]["code"]
    assert other["artefacts"]["weights"] != same["artefacts"]["weights"]


def test_what_an_earlier_build_of_the_network_left_stays_listed(
    run: Run, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("build", tiny, "-o", out, "-t", "weights")
    run("build", tiny, "-o", out, "-t", "code")
    assert list(manifest(out)["artefacts"]) == ["code", "weights"]
    (out / "tiny.safetensors").write_bytes(b"changed")
    run("build", tiny, "-o", out, "-t", "code")
    assert list(manifest(out)["artefacts"]) == ["code"]
    run("build", tiny, "-o", out, "-t", "code,weights")
    run("build", tiny, "-o", out, "-t", "code", "--set", "stages.1.width=24")  # another network
    assert list(manifest(out)["artefacts"]) == ["code"]


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"hash": 1, "artefacts": 2}', "\xff"])
def test_a_damaged_list_is_written_anew(run: Run, tiny: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_bytes(damage.encode("latin-1"))
    assert run("build", tiny, "-o", out, "-t", "code").code == 0
    assert list(manifest(out)["artefacts"]) == ["code"]


@pytest.mark.parametrize("name", ["torch", "class", "math", "v1.2-x"])
def test_code_can_be_imported_by_its_name(run: Run, tiny: Path, tmp_path: Path, name: str) -> None:
    listing = json.loads(
        run("build", tiny, "-o", "out", "-t", "code", "--json", "--set", f"name={name}").out
    )
    stem = listing["artefacts"]["code"]["file"].removesuffix(".py")
    ast.parse(f"import {stem}")  # no keyword
    assert stem not in {*sys.stdlib_module_names, "torch"}  # it hides nothing that it imports
    assert (tmp_path / "out" / f"{stem}.py").exists()


@pytest.mark.parametrize(
    ("layout", "suffix"), [("official", ".pth"), ("official", ".safetensors"), ("timm", ".pt")]
)
def test_published_weights_load_back_equal(
    run: Run, tmp_path: Path, layout: str, suffix: str
) -> None:
    state = checkpoint("v2_s0", layout)
    file = tmp_path / f"published{suffix}"
    if suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save({"model": state}, file)
    result = run("build", "v2_s0", "--weights", file, "-t", "weights", "-o", "out")
    assert (result.code, result.err) == (0, "")
    spec = efspec.load("v2_s0")
    expected = efspec.build(spec, weights=file).state_dict()
    module = efspec.build(spec, seed=1)
    assert efspec.load_weights(module, spec, tmp_path / "out" / "v2_s0.safetensors") == "efspec"
    found = module.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    by_content = {hashlib.sha256(v.numpy().tobytes()).digest() for v in state.values()}
    assert {hashlib.sha256(v.numpy().tobytes()).digest() for v in found.values()} == by_content


def test_weights_of_another_network_are_refused(run: Run, tiny: Path, tmp_path: Path) -> None:
    run("build", tiny, "-t", "weights", "-o", "tiny")
    result = run("build", "v2_s0", "--weights", "tiny/tiny.safetensors", "-o", "out")
    assert (result.code, result.out) == (1, "")
    for name in ("missing-keys", "misshapen-keys"):
        assert f"tiny/tiny.safetensors: error[{name}]: " in result.err
    assert not (tmp_path / "out").exists()


def test_a_package_takes_its_place_as_a_whole(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("build", tiny, "-o", "out", "-t", "coreml")
    wanted = []
    for seed in ("0", "1", "0"):
        assert run(*options, "--seed", seed).code == 0
        wanted.append(package_of(tmp_path))
    assert wanted[0] == wanted[2] != wanted[1]
    replace, left = Path.replace, 0

    def replace_until(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_until)
    for count in range(3):  # away with the old one, in with the new one, the list
        left = count
        result = run(*options, "--seed", "1")
        assert result.code == 1
        assert "error[cannot-access]: No space left on device" in result.err
        assert package_of(tmp_path) in (wanted[0], wanted[1], {})
        assert not (tmp_path / "out" / MANIFEST).exists()
        left = 99
        assert run(*options, "--seed", "0").code == 0
        assert package_of(tmp_path) == wanted[0]
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"tiny.mlpackage", MANIFEST}
        manifest(tmp_path / "out")


def package_of(folder: Path) -> dict[str, bytes]:
    package = folder / "out" / "tiny.mlpackage"
    return {
        str(path.relative_to(package)): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("inside", ["Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "note"])
def test_a_package_of_someone_else_is_left_alone(
    run: Run, tiny: Path, tmp_path: Path, inside: str
) -> None:
    file = tmp_path / "out" / "tiny.mlpackage" / inside
    file.parent.mkdir(parents=True)
    file.write_text("someone's work")
    result = run("build", tiny, "-o", "out")
    assert result.code == 1
    assert "tiny.mlpackage: error[not-ours]: " in result.err
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [file]


def test_a_license_is_said(run: Run, tiny: Path, tmp_path: Path) -> None:
    import onnx

    from efspec.verify import read_package

    options = ("-t", "coreml,onnx", "--license", "CC BY 4.0")
    assert run("build", tiny, "-o", "out", *options).code == 0
    package = read_package(tmp_path / "out" / "tiny.mlpackage")
    assert package.metadata["license"] == "CC BY 4.0"
    model = onnx.load(tmp_path / "out" / "tiny.onnx")
    assert {p.key: p.value for p in model.metadata_props}["license"] == "CC BY 4.0"


def test_a_card_tells_of_what_was_built(run: Run, tiny: Path, tmp_path: Path) -> None:
    run("build", tiny, "-o", "out", "-t", "card,coreml,weights")
    for suffix in ("md", "html"):
        text = (tmp_path / "out" / f"tiny.{suffix}").read_text()
        assert "tiny.mlpackage" in text
        assert "fp32 twin as the module" in text
        assert "initial ones, drawn with seed 0" in text
        assert ".py" not in text.partition("PyTorch")[0]
    checkpoint_ = tmp_path / "out" / "tiny.safetensors"
    run("build", tiny, "-o", "out", "-t", "card", "--weights", checkpoint_)
    assert "from tiny.safetensors" in (tmp_path / "out" / "tiny.html").read_text()


@pytest.mark.parametrize("options", [[], ["--dynamic-batch", "--opset", "18"]])
def test_what_is_exported_is_checked_and_says_where_it_comes_from(
    run: Run, tiny: Path, tmp_path: Path, options: list[str]
) -> None:
    import onnx

    result = run("build", tiny, "-o", "out", "-t", "onnx,torch", "--seed", "3", *options)
    assert (result.code, result.err) == (0, "")
    assert list(manifest(tmp_path / "out")["artefacts"]) == ["onnx", "torch"]
    assert re.search(r"tiny\.onnx .* onnxruntime [\d.]+: as the module, to \de-\d\d\n", result.out)
    assert re.search(r"tiny\.pt2 .* torch \S+: as the module, to \de-\d\d\n", result.out)

    spec = efspec.load(tiny)
    model = onnx.load(tmp_path / "out" / "tiny.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata == {
        "efspec.version": version("efspec"),
        "efspec.spec_hash": efspec.score(spec).hash,
        "efspec.params": str(efspec.score(spec).params),
        "efspec.macs": str(efspec.score(spec).macs),
        "efspec.spec": efspec.dump(spec),
    }
    assert efspec.load(yaml.safe_load(metadata["efspec.spec"])) == spec
    assert model.opset_import[0].version == (18 if options else 20)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert (batch.dim_param, batch.dim_value) == (("batch", 0) if options else ("", 1))
    program = torch.export.load(tmp_path / "out" / "tiny.pt2").module()
    x = torch.ones(3 if options else 1, 3, 32, 32)
    with torch.no_grad():
        expected = efspec.build(spec, seed=3).eval()(x)
        assert torch.allclose(program(x), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_onnx_is_written_unchecked_where_there_is_no_runtime(
    run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efspec.onnx.runtime.runtime_version", lambda: "")
    result = run("build", tiny, "-t", "onnx")
    assert result.code == 0
    assert result.out.endswith("  its structure only: onnxruntime is not installed\n")


def test_steps_are_those_that_are_told(run: Run, tiny: Path) -> None:
    plan = efspec.resolve(efspec.load(tiny))
    for targets in (("code",), ("weights",), ("onnx",), ("torch", "code"), tuple(TARGETS)):
        told: list[str] = []
        write_artefacts(Ingredients(plan, step=told.append), Path("out"), targets)
        assert len(told) == steps(targets), told
