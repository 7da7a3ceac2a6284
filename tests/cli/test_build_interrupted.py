"""`efspec build` that is killed leaves whole artefacts, and the next build repairs the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import efspec
from efspec.cli.artefacts import MANIFEST
from efspec.cli.files import TEMPORARY, replaced
from tests.cli.conftest import TINY, Run
from tests.cli.test_build import manifest

KILL_AT_EVENT = """
import json, os, signal, sys
from pathlib import Path
import efspec
from efspec.cli import artefacts
from efspec.cli.artefacts import make
from efspec.cli.targets import Ingredients

folder = Path(sys.argv[2])
plan = efspec.resolve(efspec.load(sys.argv[1]))
before, contents = (  # made before anything is written, so that once will do
    {t: one.data for t, one in make(Ingredients(plan, seed=seed), ("code", "weights")).items()}
    for seed in range(2)
)
artefacts._write(plan, folder, before)

def write_in_halves(path, data):
    with open(path, "wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        sys.audit("half", str(path))  # a moment like any other
        file.write(data[len(data) // 2 :])

Path.write_bytes = write_in_halves
Path.write_text = lambda path, text, **options: write_in_halves(path, text.encode())

def write_until(event):
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    left = [event]
    def hook(name, arguments):
        if any(isinstance(a, (str, Path)) and str(folder) in str(a) for a in arguments):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    artefacts._write(plan, folder, contents)
    os._exit(0)

killed, event = True, 0
while killed:
    event += 1
    killed = write_until(event) != 0
    found = {path.name: path.read_bytes().hex() for path in folder.iterdir()}
    artefacts._write(plan, folder, contents)
    repaired = {path.name: path.read_bytes().hex() for path in folder.iterdir()}
    print(json.dumps([found, repaired]))
    artefacts._write(plan, folder, before)
"""
"""Writes over a build of seed 0 one of seed 1, until the file system is used the n-th time.

For each n: what the folder holds after that, and after the next build.
"""


def contents_of(spec: Path, folder: Path, seed: int) -> dict[str, bytes]:
    paths = efspec.export(efspec.load(spec), folder, targets=["code", "weights"], seed=seed)
    return {path.name: path.read_bytes() for path in paths.values()}


def check_after_interruption(folder: Path, whole: list[dict[str, bytes]]) -> None:
    """Each artefact is there as it was or as it is to be; a list, if any, is true."""
    for name in whole[0]:
        file = folder / name
        assert not file.exists() or file.read_bytes() in [build[name] for build in whole], name
    if (folder / MANIFEST).exists():
        manifest(folder)


def test_a_build_may_be_killed_at_any_use_of_the_file_system(tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(TINY)
    whole = [contents_of(spec, tmp_path / f"whole{seed}", seed) for seed in range(2)]
    result = subprocess.run(
        [sys.executable, "-c", KILL_AT_EVENT, spec, tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    runs = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(runs) > 10
    assert any(any(name.startswith(TEMPORARY) for name in found) for found, _ in runs)
    assert any(MANIFEST not in found for found, _ in runs)
    for i, (found, repaired) in enumerate(runs):
        folder = tmp_path / f"found{i}"
        folder.mkdir()
        for name, data in found.items():
            (folder / name).write_bytes(bytes.fromhex(data))
        check_after_interruption(folder, whole)
        assert repaired.keys() == {*whole[1], MANIFEST}
        assert all(bytes.fromhex(repaired[name]) == whole[1][name] for name in whole[1])


@pytest.mark.parametrize("seconds", [0.3, 1.1, 1.6, 2.1])
def test_a_killed_build_is_repaired_by_the_next(run: Run, tmp_path: Path, seconds: float) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(TINY)
    whole = [contents_of(spec, tmp_path / f"whole{seed}", seed) for seed in range(2)]
    out = tmp_path / "out"
    contents_of(spec, out, 0)
    (out / f"{TEMPORARY}left.py").write_text("half a fi")
    options = ["-o", out, "--seed", "1", "-t", "code,weights"]
    command = [sys.executable, "-m", "efspec.cli.main", "build", spec, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    check_after_interruption(out, whole)
    assert run("build", spec, *options).code == 0
    assert {path.name for path in out.iterdir()} == {*whole[1], MANIFEST}
    manifest(out)
    assert all((out / name).read_bytes() == data for name, data in whole[1].items())


def test_an_interrupted_write_removes_its_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")

    def interrupted() -> None:
        with replaced(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
