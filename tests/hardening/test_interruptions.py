"""A build that is killed, interrupted, or finds no room leaves each file old or new."""

from __future__ import annotations

import hashlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import efspec
from efspec.cli.artefacts import MANIFEST
from tests.cli.conftest import TINY

COMMAND = [sys.executable, "-m", "efspec"]
FILES, EVERYTHING = "code,weights", "code,weights,coreml,card"
"""Targets: all of one file each, and what is built by default."""
STEP = 3
"""Every how many uses of the file system a build is killed."""

UNTIL_EVENT = """
import os, signal, sys
from pathlib import Path
import torch, safetensors.torch  # so that a child need not
from efspec.cli import artefacts, main

folder, step, targets = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def until(event):
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    left = event
    def hook(name, arguments):
        nonlocal left
        if name.startswith(("open", "os.", "tempfile.", "shutil.", "fcntl.", "pathlib.")):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.argv = ["efspec", "build", "tiny.yaml", "-t", targets, "-o", folder, "--seed", "1"]
    sys.stdout = open(os.devnull, "w")
    sys.addaudithook(hook)
    main.main()
    os._exit(0)

def state():
    return {path.name: path.read_bytes().hex() for path in Path(folder).iterdir()}

import json
old = {path: path.read_bytes() for path in Path(folder).iterdir()}
event, status = 0, 1
while status:
    event += step
    status = until(event)
    print(json.dumps(state()), flush=True)
    for path in Path(folder).iterdir():
        path.unlink()
    for path, data in old.items():
        path.write_bytes(data)
"""
"""Builds over a build of seed 0 one of seed 1, killed at the n-th use of the file system; for each
n, what the folder holds."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a build of seed 0, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    prepare(tmp_path, FILES)
    return tmp_path


def prepare(folder: Path, targets: str) -> None:
    for seed, name in ((0, "out"), (0, "old"), (1, "new")):
        spec = efspec.load("tiny.yaml")
        efspec.export(spec, folder / name, targets=targets.split(","), seed=seed)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def check(found: dict[str, bytes], root: Path) -> None:
    """Each file is that of the one or of the other build, whole; a list says what is there."""
    old, new = contents(root / "old"), contents(root / "new")
    packages = {name.partition("/")[0] for name in old if "/" in name}
    for name in old.keys() - {MANIFEST}:
        if "/" not in name:
            assert found[name] in (old[name], new[name]), name
    for package in packages:  # one of them, or for a moment none
        mine, *wanted = (
            {name: data for name, data in files.items() if name.startswith(f"{package}/")}
            for files in (found, old, new)
        )
        assert mine in (*wanted, {}), package
    if MANIFEST in found:
        assert packages <= {name.partition("/")[0] for name in found}
        for entry in json.loads(found[MANIFEST])["artefacts"].values():
            if entry["file"] not in packages:
                assert hashlib.sha256(found[entry["file"]]).hexdigest() == entry["sha256"]


def repair(folder: Path, found: dict[str, bytes], targets: str) -> None:
    """The next build makes a folder as new."""
    out = folder / "repaired"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name, data in found.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    efspec.export(efspec.load("tiny.yaml"), out, targets=targets.split(","), seed=1)
    assert contents(out) == contents(folder / "new")


def test_killed_at_any_use_of_the_file_system(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", UNTIL_EVENT, "out", str(STEP), FILES],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    states = [
        {name: bytes.fromhex(data) for name, data in json.loads(line).items()}
        for line in result.stdout.splitlines()
    ]
    assert len(states) >= 50
    assert states[-1] == contents(folder / "new")
    seen = []
    for found in states:
        check(found, folder)
        if found not in seen:
            seen.append(found)
            repair(folder, found, FILES)
    assert len(seen) > 3  # it was killed in the middle, too


@pytest.mark.parametrize("number", range(4))
def test_killed_at_a_random_moment(folder: Path, number: int) -> None:
    targets = EVERYTHING if number % 2 else FILES
    prepare(folder, targets)
    process = start("build", "tiny.yaml", "-t", targets, "-o", "out", "--seed", "1")
    longest = 8.0 if number % 2 else 3.5
    wait_or(process, random.Random(number).uniform(0.5, longest), signal.SIGKILL)
    found = contents(folder / "out")
    check(found, folder)
    repair(folder, found, targets)


@pytest.mark.parametrize("number", range(4))
def test_interrupted_at_a_random_moment(folder: Path, number: int) -> None:
    targets = EVERYTHING if number % 2 else FILES
    prepare(folder, targets)
    process = start("build", "tiny.yaml", "-t", targets, "-o", "out", "--seed", "1")
    longest = 8.0 if number % 2 else 3.0
    code, error = wait_or(process, random.Random(number).uniform(0.4, longest), signal.SIGINT)
    # The shell says 130 of both: the second is when Python itself was not or no longer running.
    assert code in (0, 130, -signal.SIGINT)
    assert error == ""
    found = contents(folder / "out")
    check(found, folder)
    assert not [name for name in found if name.startswith(".")]
    if code:
        assert found in (contents(folder / "old"), contents(folder / "new"))


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_or(process: subprocess.Popen[str], seconds: float, number: int) -> tuple[int, str]:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    error = process.communicate()[1]
    return process.returncode, error


@pytest.mark.parametrize("limit", [0, 1000, 30_000])
def test_no_room(folder: Path, limit: int) -> None:
    """The largest file that may be written stands in for a full disk."""
    before = contents(folder / "out")
    child = subprocess.run(
        [*COMMAND, "build", "tiny.yaml", "-t", FILES, "-o", "out", "--seed", "1"],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert child.returncode == 1
    assert "error[cannot-access]: File too large" in child.stderr
    assert "Traceback" not in child.stderr
    assert contents(folder / "out") == before


@pytest.mark.parametrize("name", ["tiny.py", "tiny.safetensors", MANIFEST])
def test_a_folder_in_the_place_of_a_file(folder: Path, name: str) -> None:
    (folder / "out" / name).unlink()
    (folder / "out" / name).mkdir()
    before = {path: path.is_dir() or path.read_bytes() for path in (folder / "out").iterdir()}
    with pytest.raises(efspec.EfspecError, match=r"cannot-access.*it is a folder"):
        efspec.export(efspec.load("tiny.yaml"), folder / "out", targets=FILES.split(","), seed=1)
    after = {path: path.is_dir() or path.read_bytes() for path in (folder / "out").iterdir()}
    assert after == before


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """Where even root may not write."""
    for place in ("/proc/self", "/proc/self/below", "tiny.yaml/below"):
        with pytest.raises(efspec.EfspecError, match="cannot-access"):
            efspec.export(efspec.load("tiny.yaml"), place, targets=["code"])


BUILD_OFTEN = """
import sys, efspec
from efspec.cli import artefacts
from efspec.cli.targets import Ingredients
plan = efspec.resolve(efspec.load("tiny.yaml"))
seed = int(sys.argv[1])
made = artefacts.make(Ingredients(plan, seed=seed), ("code", "weights"))
contents = {target: one.data for target, one in made.items()}
for _ in range(200):
    artefacts._write(plan, __import__("pathlib").Path("out"), contents)
"""


def test_builds_at_once_leave_a_folder_of_one_of_them(folder: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_OFTEN, seed], stderr=subprocess.PIPE, text=True
        )
        for seed in ("0", "1")
    ]
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    assert contents(folder / "out") in (contents(folder / "old"), contents(folder / "new"))
