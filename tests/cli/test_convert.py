"""`efspec convert`: files in any layout and format, whole or not at all, and all said."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import efspec
from efspec.cli.convert import LayoutName
from efspec.pytorch.layouts import LAYOUTS
from efspec.pytorch.source import SUFFIXES
from tests.cli.conftest import Run
from tests.pytorch.states import State, assert_same_bits, random_state


def read(file: Path) -> State:
    """The tensors of a file, without efspec."""
    if file.suffix == ".safetensors":
        return load_file(file)
    state: State = torch.load(file, weights_only=True)
    return state


@pytest.fixture
def own(tiny: Path, tmp_path: Path) -> State:
    """Random weights of the small network, which are also in `own.pth`."""
    state = random_state(efspec.resolve(efspec.load(tiny)), torch.bfloat16)
    torch.save(state, tmp_path / "own.pth")
    return state


def test_it_offers_every_layout() -> None:
    assert {name.value for name in LayoutName} == set(LAYOUTS)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back_through_files(
    run: Run, own: State, tmp_path: Path, layout: str, suffix: str
) -> None:
    there = f"there{suffix}"
    result = run("convert", "own.pth", "--spec", "tiny.yaml", "--to", layout, "-o", there)
    assert (result.code, result.err) == (0, "")
    tensors = len(own) + (layout == "official")  # one attention, one table of its indices
    size = (tmp_path / there).stat().st_size
    title, header, row = result.out.splitlines()
    assert title == "converted tiny"
    assert header.split() == ["from", "to", "file", "tensors", "bytes"]
    assert row.split() == ["efspec", layout, there, str(tensors), f"{size:,}"]
    assert ("patch_embed.0.weight" in read(tmp_path / there)) == (layout == "official")
    for options in ([], ["--from", layout]):
        back = ("--spec", "tiny.yaml", "--to", "efspec", "-o", "back.safetensors")
        result = run("convert", there, *back, *options)
        assert (result.code, result.err) == (0, "")
        assert_same_bits(read(tmp_path / "back.safetensors"), own)


def test_the_same_conversion_gives_the_same_bytes(run: Run, own: State, tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        for name in ("one", "other"):
            file = f"{name}{suffix}"
            run("convert", "own.pth", "--spec", "tiny.yaml", "--to", "official", "-o", file)
        data = (tmp_path / f"one{suffix}").read_bytes()
        assert (tmp_path / f"other{suffix}").read_bytes() == data
    # And that of `build`, where both write the same thing.
    run("convert", "own.pth", "--spec", "tiny.yaml", "--to", "efspec", "-o", "x.safetensors")
    run("build", "tiny.yaml", "--weights", "own.pth", "-t", "weights", "-o", "built")
    built = (tmp_path / "built" / "tiny.safetensors").read_bytes()
    assert (tmp_path / "x.safetensors").read_bytes() == built


def test_json_says_all_that_was_done(run: Run, own: State, tmp_path: Path) -> None:
    changes = ("--size", "64x96", "--set", "head.classes=7", "--new-head", "--seed", "5")
    result = run(
        "convert", "own.pth", "--spec", "tiny.yaml", *changes,
        "--to", "official", "-o", "out.safetensors", "--json",
    )  # fmt: skip
    assert result.code == 0
    table = "stages.1.blocks.0.token_mixer"
    assert result.err.splitlines() == [
        f"note: attention biases interpolated from 4x4 to 8x12: {table}",
        "note: initial weights, not the checkpoint's: head (2)",
        "note: left out of the checkpoint: head (2)",
    ]
    spec = efspec.load(tmp_path / "tiny.yaml", set=["input.size=[64, 96]", "head.classes=7"])
    out = tmp_path / "out.safetensors"
    assert json.loads(result.out) == {
        "name": "tiny",
        "hash": efspec.score(spec).hash,
        "input": [3, 64, 96],
        "file": "out.safetensors",
        "bytes": out.stat().st_size,
        "tensors": len(own) + 1,
        "from": "efspec",
        "to": "official",
        "retargeted": [{"table": f"{table}.attention_biases", "from": [4, 4], "to": [8, 12]}],
        "fresh": ["head.weight", "head.bias"],
        "dropped": ["head.weight", "head.bias"],
    }
    head = read(out)["head.weight"]
    assert torch.equal(head, efspec.build(spec, seed=5).state_dict()["head.weight"].bfloat16())


def test_the_size_that_it_was_trained_at(run: Run, own: State, tmp_path: Path) -> None:
    to = ("--spec", "tiny.yaml", "--to", "efspec", "-o")
    run("convert", "own.pth", *to, "wide.pth", "--size", "32x96")
    unsaid = run("convert", "wide.pth", *to, "out.pth")
    assert (unsaid.code, unsaid.out) == (1, "")
    assert "wide.pth: error[unknown-source-size]: 1 key:" in unsaid.err
    assert "has 48 offsets, no square map" in unsaid.err
    assert "--from-size" in unsaid.err
    wrong = run("convert", "wide.pth", *to, "out.pth", "--from-size", "64")
    assert (wrong.code, wrong.out) == (1, "")
    assert "error[wrong-source-size]: 1 key:" in wrong.err
    for size in ("31", "99999"):
        assert "error[bad-source-size]" in run(
            "convert", "wide.pth", *to, "out.pth", "--from-size", size
        ).err  # fmt: skip
    assert not (tmp_path / "out.pth").exists()
    said = run("convert", "wide.pth", *to, "out.pth", "--from-size", "32x96")
    assert said.code == 0
    assert said.err.startswith("note: attention biases interpolated from 4x12 to 4x4: ")
    options = ("--weights", "wide.pth", "--from-size", "32x96", "-t", "weights")
    built = run("build", "tiny.yaml", *options, "-o", "b")
    assert (built.code, built.err) == (0, said.err)
    assert_same_bits(read(tmp_path / "b" / "tiny.safetensors"), read(tmp_path / "out.pth"))


def test_build_takes_a_new_head_and_says_so(run: Run, own: State, tmp_path: Path) -> None:
    options = ("--weights", "own.pth", "--set", "head.classes=7", "-t", "weights", "-o", "out")
    refused = run("build", "tiny.yaml", *options)
    assert (refused.code, refused.out) == (1, "")
    assert "error[misshapen-keys]" in refused.err
    assert "--new-head" in refused.err
    assert not (tmp_path / "out").exists()
    result = run("build", "tiny.yaml", *options, "--new-head")
    assert result.code == 0
    assert result.err.startswith("note: initial weights, not the checkpoint's: head (2)\n")
    found = read(tmp_path / "out" / "tiny.safetensors")
    assert torch.equal(found["norm.weight"], own["norm.weight"])
    assert found["head.weight"].shape == (7, 16)


def test_a_file_may_be_converted_in_place(run: Run, own: State, tmp_path: Path) -> None:
    save_file(own, tmp_path / "one.safetensors")
    for layout in ("official", "efspec"):
        file = "one.safetensors"
        assert run("convert", file, "--spec", "tiny.yaml", "--to", layout, "-o", file).code == 0
    assert_same_bits(read(tmp_path / "one.safetensors"), own)


class Bomb:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("arguments", "diagnostic"),
    [
        (["nope.pth"], "no-such-checkpoint"),
        (["."], "no-such-checkpoint"),
        (["bomb.pth"], "unreadable-checkpoint"),
        (["cut.pth"], "unreadable-checkpoint"),
        (["tiny.yaml"], "unreadable-checkpoint"),
        (["list.pth"], "no-state-dict"),
        (["own.pth", "--from", "official"], "missing-keys"),
        (["own.pth", "--spec", "v2_s0"], "missing-keys"),
        (["own.pth", "--spec", "nope"], "no-such-spec"),
        (["own.pth", "--set", "nope=1"], "unknown-field"),
        (["own.pth", "--set", "stages.1.width=24"], "misshapen-keys"),
        (["own.pth", "--size", "x"], "bad-size"),
        (["own.pth", "--from-size", "x"], "bad-size"),
        (["own.pth", "--seed", str(2**64)], "bad-seed"),
        (["own.pth", "-o", "out"], "unknown-suffix"),
        (["own.pth", "-o", "out.onnx"], "unknown-suffix"),
        (["own.pth", "-o", "nope/out.pth"], "cannot-access"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_wrong_input_exits_1_and_leaves_files_alone(
    run: Run, own: State, tmp_path: Path, arguments: list[str], diagnostic: str
) -> None:
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "cut.pth").write_bytes((tmp_path / "own.pth").read_bytes()[:2000])
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "out.pth").write_text("as it was")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(
        "convert", "--spec", "tiny.yaml", "--to", "timm", "-o", "out.pth", *arguments
    )  # fmt: skip
    assert (result.code, result.out) == (1, "")
    assert f"error[{diagnostic}]: " in result.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
