"""A hundred broken inputs and odd surroundings through the command, as a process."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import efspec
from tests.cli.conftest import TINY
from tests.hardening import process
from tests.hardening.checkpoints import SENTINEL
from tests.hardening.damage import FIELDS
from tests.hardening.inputs import Input, inputs

CASES = 100
PER_TEST = 50
CHECKPOINTS = 10
"""How many of them may be checkpoints, which take long as they start torch."""
SUFFIXES = {"json": ".json", "jsonl": ".jsonl", "torch": ".pth", "safetensors": ".safetensors"}
GARBAGE = [
    "",
    "x",
    "0",
    "-1",
    "1e3",
    "9" * 30,
    "32x",
    "x32",
    "32x32x32",
    "\uff13\uff12",
    "\udcff",
    "nan",
]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command."""
    return process.run("-m", "efspec", *arguments, **options)


def broken(count: int) -> list[Input]:
    """Inputs that files can hold and that are refused in this process."""
    from tests.hardening.test_broken_inputs import give

    found: list[Input] = []
    wanted = (one for one in inputs(1) if one.kind not in ("fields", "set", "name", "mes"))
    checkpoints = 0
    for one in wanted:
        if one.kind in ("torch", "safetensors"):
            checkpoints += 1
            if checkpoints > CHECKPOINTS:
                continue
        try:
            give(one, Path())
        except efspec.EfspecError:
            found.append(one)
        if len(found) == count:
            break
    return found


def command(one: Input, file: str, rng: random.Random) -> list[str]:
    """A command that is given the input in a file, or `-` for standard input."""
    match one.kind:
        case "import":
            return ["import", file]
        case "torch" | "safetensors":
            return rng.choice(
                [
                    ["build", "tiny.yaml", "--weights", file, "-o", "out"],
                    ["convert", file, "--spec", "tiny.yaml", "--to", "timm", "-o", "old.pth"],
                ]
            )
    form = one.kind if one.kind in ("json", "jsonl") else "yaml"
    given = ["-", "--input-format", form] if rng.random() < 0.3 else [file]
    return rng.choice(
        [
            ["score", *given, "--json", "-o", "old.json"],
            ["validate", *given],
            ["validate", *given, "--json"],
            ["show", *given],
            ["generate", *given, "-o", "old.py"],
            ["build", *given, "-t", "code", "-o", "out"],
        ]
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", range(CASES // PER_TEST))
def test_broken_files(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    efspec.export(efspec.load(FIELDS), "out", targets=["code"])
    cases = broken(CASES)
    assert len(cases) == CASES
    shutil.rmtree("out")
    for path in tmp_path.iterdir():
        path.unlink()
    Path("tiny.yaml").write_text(TINY)
    efspec.export(efspec.load("tiny.yaml"), "out", targets=["code"])
    for name in ("old.json", "old.py", "old.pth"):
        Path(name).write_text("as it was")
    rng = random.Random(number)
    for one in cases[number :: CASES // PER_TEST]:
        file = Path(f"in{SUFFIXES.get(one.kind, '.yaml')}")
        file.write_bytes(one.content)
        before = contents(tmp_path)
        arguments = command(one, str(file), rng)
        result = run(*arguments, stdin=one.content)
        message = f"{arguments} {one.content!r:.2000} {result.stderr!r:.2000}"
        is_stream = one.kind == "jsonl" and "score" in arguments  # the good lines are scored
        assert result.returncode == 1 or ("convert" in arguments and result.returncode == 0), (
            message
        )
        assert b"error[" in result.stdout + result.stderr or b'"name":' in result.stdout, message
        if result.returncode and not is_stream:
            assert contents(tmp_path) == before, message
        assert not Path(SENTINEL).exists()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.mark.parametrize("garbage", GARBAGE, ids=ascii)
def test_garbage_in_options(garbage: str, folder: Path) -> None:
    options = [
        ["--size", garbage],
        ["--set", f"stages.{garbage}.width={garbage}"],
        ["--latency-ms", garbage],
    ]
    for option in random.Random(len(garbage)).sample(options, 2):
        arguments = ["score", "tiny.yaml", *option]
        result = run(*arguments)
        is_latency = arguments[2] == "--latency-ms" and garbage in ("1e3", "9" * 30)
        assert result.returncode in ((0,) if is_latency else (1, 2)), (arguments, result)


def closed(number: int) -> Callable[[], None]:
    return lambda: os.close(number)


@pytest.mark.parametrize("stream", [0, 1, 2])
@pytest.mark.parametrize(
    "arguments",
    [["score", "-"], ["score", "tiny.yaml", "--json"], ["generate", "tiny.yaml"],
     ["build", "tiny.yaml", "-t", "code"], ["score", "missing.yaml"], ["import", "-"]],
    ids=" ".join,
)  # fmt: skip
def test_a_stream_that_is_closed(arguments: list[str], stream: int, folder: Path) -> None:
    wrong = "missing.yaml" in arguments or "-" in arguments
    result = run(*arguments, preexec_fn=closed(stream))
    assert result.returncode == int(wrong)


LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "no home": {"HOME": "/nonexistent"},
    "20 columns": {"COLUMNS": "20"},
    "no columns": {"COLUMNS": "0"},
}


@pytest.mark.parametrize("locale", LOCALES)
def test_any_locale(locale: str, folder: Path) -> None:
    file = folder / "spec.yaml"
    file.write_text(TINY.replace("name: tiny", "name: tiny\ndescription: é 中文 🙂"), "utf-8")
    environment = {**os.environ, **LOCALES[locale]}
    name = os.fsdecode("é 中文.yaml".encode())
    shutil.copy(file, name)
    shutil.copy(file, b"\xff.yaml")
    for arguments in (
        ["show", "spec.yaml"],
        ["generate", "spec.yaml"],
        ["score", name, b"\xff.yaml"],
        ["build", name, "-t", "code", "-o", b"\xfe"],
        ["import", "spec.yaml"],
        ["--help"],
    ):
        result = run(*arguments, env=environment)  # type: ignore[arg-type]
        assert result.returncode == 0, result
    result = run("validate", name, "--set", "name=é", env=environment)
    assert result.returncode == 1
    environment.pop("HOME")
    assert run("score", "spec.yaml", env=environment).returncode == 0


def test_odd_names_of_specs(folder: Path) -> None:
    for name in ("a b.yaml", "a\nb.yaml", "-a.yaml", "a'\"b$(id).yaml", "[1].yaml", "%s.yaml"):
        (folder / name).write_text(TINY)
        assert run("score", "--", name).returncode == 0
        result = run("validate", "--", name, stdin=b"")
        assert result.returncode == 0
        (folder / name).write_text("x: 1\n")
        result = run("validate", "--", name)
        assert result.returncode == 1
        assert all(line.isprintable() for line in result.stderr.decode().splitlines())


def test_things_that_are_no_files(folder: Path) -> None:
    (folder / "dir.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop2.yaml")
    (folder / "loop2.yaml").symlink_to("loop.yaml")
    (folder / "nowhere.yaml").symlink_to("missing.yaml")
    (folder / "extends.yaml").write_text("extends: loop.yaml\n")
    (folder / "null.yaml").symlink_to("/dev/null")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    (folder / "zero.jsonl").symlink_to("/dev/zero")
    for name in ("dir.yaml", ".", "loop.yaml", "nowhere.yaml", "extends.yaml", "null.yaml",
                 "zero.yaml", "zero.jsonl", "", "x" * 5000):  # fmt: skip
        result = run("score", name)
        assert (result.returncode, result.stdout) == (1, b""), result
        assert b"error[" in result.stderr


def test_a_pipe_with_a_name(folder: Path) -> None:
    os.mkfifo("pipe.yaml")
    with subprocess.Popen(["sh", "-c", "cat tiny.yaml > pipe.yaml"]):
        assert run("score", "pipe.yaml").returncode == 0


def test_links_as_outputs(folder: Path) -> None:
    (folder / "link.py").symlink_to("target.py")
    assert run("generate", "tiny.yaml", "-o", "link.py").returncode == 0
    assert (folder / "link.py").is_symlink()
    assert b"class Tiny" in (folder / "target.py").read_bytes()
    (folder / "loop.py").symlink_to("loop2.py")
    (folder / "loop2.py").symlink_to("loop.py")
    for arguments in (
        ["generate", "tiny.yaml", "-o", "loop.py"],
        ["build", "tiny.yaml", "-o", "loop.py"],
    ):
        assert run(*arguments).returncode == 1
    assert (folder / "loop.py").is_symlink()
    result = run("generate", "tiny.yaml", "-o", "/dev/zero", "--check")
    assert result.returncode == 3


def test_a_folder_that_is_gone(folder: Path) -> None:
    (folder / "gone").mkdir()
    script = f"rmdir ../gone && exec {sys.executable} -m efspec "
    for rest, code in (("score v2_s0", 0), ("build v2_s0 -t code", 1), ("score x.yaml", 1)):
        (folder / "gone").mkdir(exist_ok=True)
        result = subprocess.run(
            ["sh", "-c", script + rest], cwd=folder / "gone", capture_output=True, check=False
        )
        assert (result.returncode, b"Traceback" in result.stderr) == (code, False), result.stderr


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    line = json.dumps(FIELDS)
    (folder / "many.jsonl").write_text(f"{line}\n" * 3000)
    score = f"{sys.executable} -m efspec score many.jsonl"
    for options in ("", "--format jsonl", "--format csv"):
        result = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {score} {options} | head -1"],
            capture_output=True, check=False,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout.count(b"\n") == 1


def test_a_damaged_list_of_artefacts(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "build.json").write_text("[" * 200_000)
    assert run("build", "tiny.yaml", "-t", "code", "-o", "out").returncode == 0
