"""`efspec train`: what a run leaves, and what becomes of it when something goes wrong."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from timm import create_model

import efspec
from efspec.pytorch.build import build_module
from efspec.pytorch.checkpoints import encode
from efspec.spec.candidates import smallest
from efspec.spec.spaces import read_space
from efspec.supernet import Slimmable, calibrate, extract
from efspec.train.data import read_data
from efspec.train.loaders import loaders
from efspec.train.rating import top1
from efspec.train.recipes import read_recipe
from tests.cli.conftest import Run
from tests.train import networks

FILES = {
    *("spec.yaml", "recipe.yaml", "run.json", "metrics.jsonl", "state.pt"),
    *("best.safetensors", "last.safetensors"),
}
TRAIN = ("train", "tiny.yaml", "--recipe", "quick.yaml", "-o", "run")
DIGITS = ("--data", "digits")
IMAGES = ("--data", "images")


@pytest.fixture(autouse=True)
def _one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with a network, a recipe and a few images, which are trained on in no time."""
    networks.write(tmp_path, epochs=4, batch=4, ema=0.5)
    spec = yaml.safe_load((tmp_path / "tiny.yaml").read_text())
    spec["head"]["classes"] = 3
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    networks.folder_of_images(tmp_path / "images")
    return tmp_path


def metrics(folder: Path) -> list[dict[str, Any]]:
    """What the epochs of a run came to, without how long they took."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def outcome(folder: Path) -> tuple[object, ...]:
    weights = [(folder / name).read_bytes() for name in ("best.safetensors", "last.safetensors")]
    return metrics(folder), *weights


def test_what_a_run_leaves(run: Run, tmp_path: Path) -> None:
    spec, how = networks.write(tmp_path)
    result = run(*TRAIN, *DIGITS)
    assert result.code == 0, result.err
    folder = tmp_path / "run"
    assert {file.name for file in folder.iterdir()} == FILES
    assert result.out.splitlines()[0] == "trained tiny for 3 epochs: run"
    assert [line.partition(":")[0] for line in result.err.splitlines()] == [
        f"epoch {number}/3" for number in (1, 2, 3)
    ]
    assert efspec.load(folder / "spec.yaml") == efspec.load(spec)
    assert read_recipe(folder / "recipe.yaml") == read_recipe(how)
    epochs = metrics(folder)
    assert [epoch["epoch"] for epoch in epochs] == [0, 1, 2]
    assert epochs[-1]["loss"] < epochs[0]["loss"]

    built = run("build", "tiny.yaml", "--weights", "run/best.safetensors", "-t", "weights")
    assert built.code == 0, built.err
    module = efspec.build(efspec.load(spec), weights=folder / "best.safetensors")
    read = loaders(read_recipe(how), read_data("digits"), (1, 32, 32))
    best = max(max(epoch["top1"], epoch["ema_top1"]) for epoch in epochs)
    assert top1(module.eval(), read.rated(), networks.accelerator()) == best


def test_json_says_where_the_best_weights_are(run: Run, small: Path) -> None:
    result = run(*TRAIN, *IMAGES, "--epochs", "2", "--json")
    said = json.loads(result.out)
    assert said.keys() == {"name", "hash", "run", "weights", "best", "last"}
    assert (small / said["weights"]).is_file()
    assert said["last"]["epoch"] == 1
    again = run(*TRAIN, *IMAGES, "--epochs", "2", "--json", "--resume")
    assert (again.code, again.out, again.err) == (0, result.out, "")


def test_runs_are_reproducible(run: Run, small: Path) -> None:
    assert run(*TRAIN, *IMAGES).code == 0
    assert run(*TRAIN[:-1], "other", *IMAGES, "--resume").code == 0
    assert outcome(small / "run") == outcome(small / "other")
    assert run(*TRAIN[:-1], "third", *IMAGES, "--seed", "1").code == 0
    assert outcome(small / "run") != outcome(small / "third")


@pytest.mark.parametrize("write", range(0, 12, 2))
def test_a_full_disk_loses_nothing(
    write: int, run: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the run is, and states and weights of four epochs; one of these cannot be written."""
    assert run(*TRAIN[:-1], "whole", *IMAGES).code == 0
    written = iter(range(100))
    really = Path.write_bytes

    def write_bytes(file: Path, data: bytes) -> int:
        if next(written) == write:
            really(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        return really(file, data)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write_bytes)
        result = run(*TRAIN, *IMAGES)
    assert result.code == 1
    assert "error[cannot-access]: No space left on device" in result.err
    assert {file.name for file in (small / "run").iterdir()} <= FILES
    assert run(*TRAIN, *IMAGES, "--resume").code == 0
    assert outcome(small / "run") == outcome(small / "whole")


def test_an_image_that_cannot_be_read_loses_nothing(run: Run, small: Path) -> None:
    for part in ("train", "val"):
        networks.folder_of_images(small / "parts" / part)
    data = ("--data", "parts")
    assert run(*TRAIN[:-1], "whole", *data).code == 0
    broken = small / "parts" / "train" / "class_0" / "0.png"
    right = broken.read_bytes()
    broken.write_bytes(b"nothing")
    result = run(*TRAIN, *data)
    assert result.code == 1
    assert result.err.startswith("parts/train/class_0/0.png: error[unreadable-image]: ")
    broken.write_bytes(right)
    assert run(*TRAIN, *data, "--resume").code == 0
    assert outcome(small / "run") == outcome(small / "whole")


def test_a_loss_that_is_no_number_leaves_the_epochs_before(run: Run, small: Path) -> None:
    networks.write_recipe(
        small,
        optimizer={"name": "sgd", "lr": 100.0},
        schedule={"warmup_epochs": 1, "warmup_lr": 1e-6},
    )
    for more in ((), ("--resume",)):
        result = run(*TRAIN, *DIGITS, "--set", "head.classes=10", *more)
        assert result.code == 1
        assert "error[loss-not-finite]: in epoch 1 the " in result.err
        assert len(metrics(small / "run")) == 1
        assert all(t.isfinite().all() for t in load_file(small / "run/last.safetensors").values())


def test_a_run_begins_with_weights_and_with_those_of_a_supernet(run: Run, tmp_path: Path) -> None:
    """Where nothing is learned, they are left as they were."""
    space = read_space("digits")
    supernet = Slimmable(space).eval()
    statistics = calibrate(supernet, smallest(space), [torch.rand(8, 1, 32, 32)])
    found, state = extract(supernet, smallest(space), statistics, name="found")
    (tmp_path / "tiny.yaml").write_text(efspec.dump(found))
    plan = efspec.resolve(found)
    (tmp_path / "found.safetensors").write_bytes(encode(plan, state, ".safetensors"))
    networks.write_recipe(tmp_path, optimizer={"lr": 0.0}, epochs=1, ema=None)
    result = run(*TRAIN, *DIGITS, "--weights", "found.safetensors")
    assert result.code == 0, result.err
    trained = load_file(tmp_path / "run" / "last.safetensors")
    assert trained.keys() == state.keys()
    assert all(torch.equal(trained[key], state[key]) for key in plan.parameters())


@pytest.mark.parametrize("kind", ["spec", "timm"])
def test_teachers_of_efspec_and_of_timm(kind: str, run: Run, small: Path) -> None:
    assert run(*TRAIN[:-1], "untaught", *IMAGES).code == 0
    named = {"spec": None, "timm": "test_efficientnet"}[kind]
    networks.write_recipe(
        small, epochs=4, batch=4, ema=0.5, distillation={"kind": "hard", "teacher": named}
    )
    if named is None:
        plan = efspec.resolve(efspec.load(small / "tiny.yaml"))
        weights = build_module(plan, seed=7).state_dict()
    else:
        weights = create_model(named, in_chans=1, num_classes=3).state_dict()
    torch.save(weights, small / "teacher.pth")
    teacher = ["--teacher-weights", "teacher.pth"]
    teacher += ["--teacher-spec", "tiny.yaml"] if named is None else []
    result = run(*TRAIN, *IMAGES, *teacher)
    assert result.code == 0, result.err
    assert outcome(small / "run") != outcome(small / "untaught")


@pytest.mark.parametrize(
    "options",
    [
        ["--teacher-spec", "tiny.yaml"],
        ["--new-head"],
        ["--from-size", "64"],
        ["--epochs", "0"],
        ["--seed", "-1"],
        ["-o", "-"],
    ],
    ids=" ".join,
)
def test_wrong_usage(options: list[str], run: Run, small: Path) -> None:
    result = run(*TRAIN, *IMAGES, *options)
    assert (result.code, result.out) == (2, "")
    assert not (small / "run").exists()
