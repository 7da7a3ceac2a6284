"""`efspec train` as a process: killed at any moment, and several at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.cli.test_train import FILES, outcome
from tests.train import networks

EPOCHS = 24
ARGUMENTS = ["-m", "efspec", "train", "tiny.yaml", "--recipe", "quick.yaml", "--data", "images"]
TIMEOUT = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    networks.write_recipe(tmp_path, epochs=EPOCHS, batch=4, ema=0.5)
    spec = {**networks.TINY, "head": {"type": "distilled", "classes": 3}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    networks.folder_of_images(tmp_path / "images")
    return tmp_path


def start(
    folder: Path, run: str, *options: str, launcher: Sequence[str] = ()
) -> subprocess.Popen[str]:
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *launcher, *ARGUMENTS, "-o", run, *options],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process printed that came to a good end."""
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return out, err


def epochs(run: Path) -> int:
    file = run / "metrics.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_what_is_stopped_at_any_moment_goes_on_to_the_same_end(folder: Path) -> None:
    finished(start(folder, "whole"))
    chance = random.Random(0)
    run, seen = folder / "run", [0]
    for stop in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        process = start(folder, "run", "--resume")
        while epochs(run) <= seen[-1] and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.15))  # within an epoch, or while something is written
        process.send_signal(stop)
        out, err = process.communicate(timeout=TIMEOUT)
        assert "Traceback" not in err
        seen.append(epochs(run))
        if stop == signal.SIGINT and seen[-1] < EPOCHS:
            assert (process.returncode, out) == (130, "")
    finished(start(folder, "run", "--resume"))
    assert 0 < seen[1] < EPOCHS
    assert outcome(run) == outcome(folder / "whole")
    assert {file.name for file in run.iterdir()} == FILES


@pytest.mark.parametrize(
    "launcher",
    [
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"],
        ["-m", "accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1",
         "--mixed_precision=no", "--dynamo_backend=no"],
    ],
    ids=["torchrun", "accelerate"],
)  # fmt: skip
def test_two_processes_train_one_network(launcher: list[str], folder: Path) -> None:
    out, err = finished(start(folder, "run", "--epochs", "3", "--json", launcher=launcher))
    assert json.loads(out)["last"]["epoch"] == 2
    assert [line for line in err.splitlines() if line.startswith("epoch ")] != []
    run = folder / "run"
    assert {file.name for file in run.iterdir()} == FILES
    assert epochs(run) == 3
