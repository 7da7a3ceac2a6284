"""`efspec search`: spaces, random members, and runs over what a user has."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

import efspec
from efspec.search import runs
from efspec.spec.candidates import candidate_of, size
from efspec.spec.loader import loads
from efspec.spec.spaces import read_space
from tests.cli.conftest import Run
from tests.pages import RATING

FUNCTION = ["--function", "rating:accuracy"]
TARGETS = ["--target", "params=100000", "--target", "tiny:mes=150,macs=5e5"]
SLOW = "import time\n" + RATING.replace("    return", "    time.sleep(0.02)\n    return")
TIMEOUT = 120


@pytest.fixture(autouse=True)
def _rating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rating.py").write_text(RATING)
    monkeypatch.delitem(sys.modules, "rating", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))


def outcome(folder: Path) -> dict[str, bytes]:
    """Everything in a run's folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_what_a_space_is_like(run: Run) -> None:
    found = json.loads(run("search", "space", "v2", "--device", "iphone12", "--json").out)
    assert found["members"] == size(read_space("v2"))
    rows = {row["metric"]: row for row in found["metrics"]}
    assert rows["params"]["v2_s0"] == efspec.score(efspec.load("v2_s0")).params
    assert rows["macs"]["v2_l"] == efspec.score(efspec.load("v2_l")).macs
    for row in rows.values():
        assert row["least"] <= row["median"] <= row["most"]
    assert rows["params"]["smallest"] <= rows["params"]["least"]
    assert rows["params"]["most"] <= rows["params"]["largest"]
    assert "v2_s0" in run("search", "space", "v2").out


def test_pictures_of_a_space(run: Run, tmp_path: Path) -> None:
    assert run("search", "space", "digits", "--plot", "cloud.svg").code == 0
    assert run("search", "space", "v1", "--device", "iphone12", "--plot", "cloud.png").code == 0
    assert "<svg" in (tmp_path / "cloud.svg").read_text()
    assert (tmp_path / "cloud.png").read_bytes().startswith(b"\x89PNG")
    assert run("search", "space", "digits", "--plot", "cloud.gif").code == 2


def test_samples_have_the_figures_of_their_specs(run: Run, tmp_path: Path) -> None:
    rows = list(csv.DictReader(run("search", "sample", "digits", "-n", "20").out.splitlines()))
    lines = run("search", "sample", "digits", "-n", "20", "--specs").out.splitlines()
    assert len(rows) == len(lines) == 20
    for row, line in zip(rows, lines, strict=True):
        score = efspec.score(loads(line, input_format="json"))
        for metric in ("params", "params_folded", "macs", "activation_bytes_peak"):
            assert int(row[metric]) == getattr(score, metric)
    for form in ("csv", "jsonl", "parquet"):
        assert run("search", "sample", "digits", "-n", "2e1", "-o", f"s.{form}").code == 0
    assert list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines())) == rows
    read = pyarrow.parquet.read_table(tmp_path / "s.parquet").to_pylist()
    assert read == [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [{name: str(value) for name, value in row.items()} for row in read] == rows
    other = run("search", "sample", "digits", "-n", "20", "--seed", "1").out
    assert list(csv.DictReader(other.splitlines())) != rows


@pytest.mark.parametrize(
    "options",
    [
        ["-n", "many"],
        ["-n", "1.5"],
        ["-n", "-1"],
        ["-o", "s.txt"],
        ["--specs", "-o", "s.csv"],
        ["--specs", "--device", "iphone12"],
    ],
)
def test_samples_that_cannot_be(run: Run, options: list[str]) -> None:
    assert run("search", "sample", "digits", *options).code == 2


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [("joint", []), ("nsga2", ["--budget", 40]), ("random", ["--budget", 40])],
)
def test_a_run_ends_in_specs(run: Run, tmp_path: Path, algorithm: str, options: list[Any]) -> None:
    command = ["search", "run", "digits", *FUNCTION, *TARGETS, "--algorithm", algorithm, *options]
    result = run(*command, "-o", "found", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    folder = tmp_path / "found"
    assert found == json.loads((folder / "summary.json").read_text())
    space = read_space("digits")
    for name, one in found["targets"].items():
        spec = efspec.load(folder / "targets" / f"{name}.yaml")
        assert runs.candidate_as_list(candidate_of(space, spec)) == one["candidate"]
        assert efspec.score(spec).params == one["figures"]["params"]
        assert one["accuracy"] == 1 - 1e5 / (1e5 + one["figures"]["macs"])
    assert set(found["targets"]) | set(found["missed"]) == {"target_0", "tiny"}
    if algorithm == "joint":
        assert found["targets"]["target_0"]["figures"]["params"] <= 100_000
        assert found["targets"]["tiny"]["figures"]["mes"] >= 150
        assert len((folder / "steps.jsonl").read_text().splitlines()) == found["steps"]
    assert len(list((folder / "front").iterdir())) == len(found["front"])
    assert len((folder / "evaluations.jsonl").read_text().splitlines()) == found["evaluated"]
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert "src=" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    # The same again, and with another seed where there is chance.
    assert run(*command, "-o", "again").code == 0
    assert outcome(folder) == outcome(tmp_path / "again")


def test_a_run_in_words(run: Run, tmp_path: Path) -> None:
    result = run("search", "run", "digits", *FUNCTION, "--target", "mes=1e9", "--budget", "30")
    assert result.code == 0
    assert result.out.splitlines()[0] == "30 networks were evaluated"
    assert "no network was found for the target target_0" in result.err
    assert (tmp_path / "runs" / "digits" / "report.html").exists()
    assert not (tmp_path / "runs" / "digits" / "best.yaml").exists()


def test_best_is_built(run: Run, tmp_path: Path) -> None:
    assert run("search", "run", "digits", *FUNCTION, *TARGETS, "-o", "found").code == 0
    assert run("build", "found/best.yaml", "-t", "code", "-o", "built").code == 0
    assert (tmp_path / "built" / "digits_best.py").exists()


def test_what_is_found_is_imported(run: Run, tmp_path: Path) -> None:
    assert run("search", "run", "digits", *FUNCTION, *TARGETS, "-o", "found").code == 0
    result = run("import", "found/front.json", "-o", "imported")
    assert result.code == 0, result.err
    written, imported = (
        {spec.name: spec.stages for spec in map(efspec.load, (tmp_path / folder).iterdir())}
        for folder in ("found/front", "imported")
    )
    assert imported == written
    assert len(written) > 1


def test_slimming_by_given_importances(run: Run, tmp_path: Path) -> None:
    depths = [max(stage.depth) for stage in read_space("v1").stages]
    given = [[1 + 0.1 * i for i in range(depth)] for depth in depths]
    (tmp_path / "importances.json").write_text(json.dumps(given))
    result = run(
        *("search", "run", "v1", "--algorithm", "slimming", "--device", "iphone12", *FUNCTION),
        *("--importances", "importances.json", "--target", "latency_ms=5", "-o", "slim", "--json"),
    )
    assert result.code == 0, result.err
    assert json.loads(result.out)["targets"]["target_0"]["figures"]["latency_ms"] <= 5


@pytest.mark.parametrize(
    "options",
    [
        [*FUNCTION, "--command", "true"],
        ["--command", ""],
        [*FUNCTION, "--data", "digits"],
        [*FUNCTION, "--target", "fast"],
        [*FUNCTION, "--target", "speed=1"],
        [*FUNCTION, "--target", "mes=much"],
        [*FUNCTION, "--target", "latency_ms=1"],
        [*FUNCTION, "--algorithm", "random"],
        [*FUNCTION, "--algorithm", "slimming", "--device", "iphone12"],
        [*FUNCTION, "--algorithm", "guessing"],
        [*FUNCTION, "--budget", "0"],
    ],
)
def test_runs_that_cannot_be(run: Run, tmp_path: Path, options: list[str]) -> None:
    result = run("search", "run", "digits", *options, "-o", "found")
    assert (result.code, result.out) == (2, "")
    assert not (tmp_path / "found").exists()


def test_a_space_without_an_objective_needs_a_device(run: Run) -> None:
    result = run("search", "run", "v2", *FUNCTION, "--target", "params=1e6", "-o", "found")
    assert result.code == 2
    assert "--device" in result.err


def test_what_is_there_is_gone_on_with_only_when_it_is_said(run: Run, tmp_path: Path) -> None:
    command = ["search", "run", "digits", *FUNCTION, *TARGETS, "-o", "found"]
    assert run(*command).code == 0
    before = outcome(tmp_path / "found")
    assert "run-exists" in run(*command).err
    assert "other-run" in run(*command, "--resume", "--seed", "1").err
    assert run(*command, "--resume").code == 0
    assert outcome(tmp_path / "found") == before
    evaluations = tmp_path / "found" / "evaluations.jsonl"
    evaluations.write_bytes(evaluations.read_bytes() + b'{"candidate": [[8')  # a torn line
    assert run(*command, "--resume").code == 0
    assert outcome(tmp_path / "found") == before
    evaluations.write_bytes(b"nonsense\n" + evaluations.read_bytes())
    result = run(*command, "--resume")
    assert (result.code, "damaged-run" in result.err) == (1, True)
    (tmp_path / "found" / "run.json").write_text("[")
    assert "damaged-run" in run(*command, "--resume").err


def test_an_evaluator_that_fails_loses_nothing(run: Run, tmp_path: Path) -> None:
    command = ["search", "run", "digits", *FUNCTION, *TARGETS, "-o"]
    assert run(*command, "whole").code == 0
    failing = "import pathlib\n" + RATING.replace(
        "    return",
        "    count = len(pathlib.Path('found/evaluations.jsonl').read_text().splitlines())\n"
        "    assert count < 50, 'no disk'\n    return",
    )
    (tmp_path / "rating.py").write_text(failing)
    sys.modules.pop("rating", None)
    result = run(*command, "found")
    assert result.code == 1
    assert "failed-evaluator" in result.err
    assert "AssertionError: no disk" in result.err
    assert len((tmp_path / "found" / "evaluations.jsonl").read_text().splitlines()) == 50
    (tmp_path / "rating.py").write_text(RATING)
    sys.modules.pop("rating", None)
    assert run(*command, "found", "--resume").code == 0
    assert outcome(tmp_path / "found") == outcome(tmp_path / "whole")


def test_a_full_disk_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["search", "run", "digits", *FUNCTION, *TARGETS, "-o"]
    assert run(*command, "whole").code == 0
    written, fsync = 0, os.fsync

    def full(file: int) -> None:
        nonlocal written
        written += 1
        if written == 60:
            raise OSError(28, "No space left on device")
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = run(*command, "found")
    assert result.code == 1
    assert "No space left on device" in result.err
    assert run(*command, "found", "--resume").code == 0
    assert outcome(tmp_path / "found") == outcome(tmp_path / "whole")


def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_end(tmp_path: Path) -> None:
    (tmp_path / "rating.py").write_text(SLOW)

    def start(folder: str) -> subprocess.Popen[str]:
        command = ["search", "run", "digits", *FUNCTION, *TARGETS, "-o", folder, "--resume"]
        return subprocess.Popen(
            [sys.executable, "-m", "efspec", *command],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    whole = start("whole")
    _, err = whole.communicate(timeout=TIMEOUT)
    assert whole.returncode == 0, err
    chance = random.Random(0)
    file = tmp_path / "found" / "evaluations.jsonl"
    kills = 0
    for number in range(10):
        process = start("found")
        before = file.stat().st_size if file.exists() else 0
        while process.poll() is None and not (file.exists() and file.stat().st_size > before):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        stop = signal.SIGINT if number == 5 else signal.SIGKILL
        process.send_signal(stop)
        _, err = process.communicate(timeout=TIMEOUT)
        kills += process.returncode != 0
        assert "Traceback" not in err
    assert kills >= 8  # the others had come to their end
    process = start("found")
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert outcome(tmp_path / "found") == outcome(tmp_path / "whole")
