"""`efspec search run` over a supernet: trained, killed, gone on with, and by two processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import efspec
from tests.train import networks

TIMEOUT = 240
TARGETS = [{"name": "small", "constraints": {"mes": {"min": 150}}}]
FILES = {
    "run.json",
    "evaluations.jsonl",
    "steps.jsonl",
    "summary.json",
    "report.html",
    "report.png",
    "path.png",
    "best.yaml",
    "best.safetensors",
    "targets",
    "front",
    "front.json",
    "supernet",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space, a recipe, and a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("search")
    networks.write_recipe(folder, ema=None, epochs=2, optimizer={"lr": 5e-3})
    own = {"data": "digits", "recipe": "quick.yaml"}
    space = {**networks.SPACE, "targets": TARGETS, "supernet": own}
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    finished(start(folder, "whole"))
    return folder


def start(
    folder: Path, run: str, *options: str, launcher: Sequence[str] = ()
) -> subprocess.Popen[str]:
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [
            sys.executable,
            *launcher,
            "-m",
            "efspec",
            "search",
            "run",
            "space.yaml",
            "-o",
            run,
            *options,
        ],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(process: subprocess.Popen[str]) -> str:
    """What a process printed that came to a good end."""
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return out


def outcome(run: Path) -> dict[str, Any]:
    """What a run has found."""
    return {
        "summary": json.loads((run / "summary.json").read_text()),
        "steps": (run / "steps.jsonl").read_text(),
        "evaluations": (run / "evaluations.jsonl").read_text(),
        **{
            str(file.relative_to(run)): file.read_bytes()
            for file in sorted(run.rglob("*"))
            if file.suffix in (".yaml", ".safetensors", ".png", ".html")
        },
    }


def test_one_command_ends_in_specs_weights_and_a_report(folder: Path) -> None:
    run = folder / "whole"
    assert {file.name for file in run.iterdir()} == FILES
    found = json.loads((run / "summary.json").read_text())
    assert found["missed"] == []
    assert found["targets"]["small"]["figures"]["mes"] >= 150
    assert found["steps"] == len((run / "steps.jsonl").read_text().splitlines()) > 0
    spec = efspec.load(run / "best.yaml")
    assert efspec.score(spec).params == found["targets"]["small"]["figures"]["params"]
    module = efspec.build(spec, weights=run / "best.safetensors").eval()
    assert module(torch.zeros(1, 1, 32, 32)).shape == (1, 10)


def test_best_is_built_with_nothing_in_between(folder: Path) -> None:
    command = ["build", "whole/best.yaml", "--weights", "whole/best.safetensors"]
    subprocess.run(
        [sys.executable, "-m", "efspec", *command, "-t", "code,coreml", "-o", "built"],
        cwd=folder,
        check=True,
    )
    assert {"tiny_space_best.py", "tiny_space_best.mlpackage"} <= {
        file.name for file in (folder / "built").iterdir()
    }


def test_a_killed_run_goes_on_to_the_same_end(folder: Path) -> None:
    run = folder / "killed"
    moments = [  # before the first epoch, after it, and in the search
        lambda: (run / "run.json").exists(),
        lambda: (run / "supernet" / "state.pt").exists(),
        lambda: _lines(run / "evaluations.jsonl") > 5,
        lambda: _lines(run / "evaluations.jsonl") > 25,
    ]
    for is_time in moments:
        process = start(folder, "killed", *(["--resume"] if run.exists() else []))
        while not is_time() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == -signal.SIGKILL, err
    finished(start(folder, "killed", "--resume"))
    assert outcome(run) == outcome(folder / "whole")


def test_two_processes_pick_what_one_picks(folder: Path) -> None:
    supernet = ["--supernet", "whole/supernet/supernet.safetensors"]
    finished(start(folder, "one", *supernet))
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29551"]
    finished(start(folder, "two", *supernet, launcher=launcher))
    assert outcome(folder / "one") == outcome(folder / "two")
    for name in ("steps", "evaluations"):  # nor does the training within a run matter
        assert outcome(folder / "one")[name] == outcome(folder / "whole")[name]


def test_two_processes_train_and_search(folder: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29552"]
    finished(start(folder, "both", launcher=launcher))
    assert {file.name for file in (folder / "both").iterdir()} == FILES


def test_slimming_takes_its_importances_from_meta_paths(folder: Path) -> None:
    out = finished(
        start(
            folder,
            "slim",
            *("--algorithm", "slimming", "--device", "iphone12"),
            *("--target", "params=3000", "--json"),
        )
    )
    found = json.loads(out)
    assert found["targets"]["target_0"]["figures"]["params"] <= 3000
    assert found["steps"] > 0
    settings = json.loads((folder / "slim" / "run.json").read_text())
    assert settings["evaluator"].startswith("a supernet (metapaths)")


def test_another_supernet_is_another_run(folder: Path) -> None:
    supernet = folder / "whole" / "supernet" / "supernet.safetensors"
    process = start(folder, "whole", "--resume", "--supernet", str(supernet))
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "other-run" in err
    assert "evaluator" in err


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0
