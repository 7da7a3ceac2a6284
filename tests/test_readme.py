"""What the README shows is so."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import efspec
from efspec.plan import map_shape, trace
from efspec.spec.loader import loads
from tests import pages

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
FENCES = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)


def fence(language: str) -> str:
    return next(body for kind, body in FENCES if kind == language)


def test_the_spec_becomes_the_class() -> None:
    source = efspec.generate(loads(fence("yaml")))
    assert fence("python") in source


COMMANDS = [
    command
    for cell in re.findall(r"^\| `(efspec [^`]+)`", TEXT, re.MULTILINE)
    for command in [cell.replace("\\|", "|")]
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    pages.provide(command, tmp_path)
    assert pages.run(command) == 0
    assert capsys.readouterr().out or "-o" in command


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = [body for kind, body in FENCES if kind == "python"][1]
    exec(example, {})
    assert capsys.readouterr().out.strip().isdecimal()


@pytest.mark.parametrize(
    "row", re.findall(r"^\| `(v\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|", TEXT, re.MULTILINE)
)
def test_figures_are_what_score_says(row: tuple[str, ...]) -> None:
    name, *figures = row
    score = efspec.score(efspec.load(name))
    own = [score.params, score.params_folded, score.macs]
    assert [int(figure.replace(",", "")) for figure in figures] == own


def test_the_diagnostic_is_what_validate_says(tmp_path: Path) -> None:
    shown = next(body for kind, body in FENCES if not kind and "error[" in body)
    source = (ROOT / "specs" / "v2_s1.yaml").read_text()
    wrong = source.replace("[4, 4, 3, 3, 3, 3, 4]", "[4, 4, 3, 3, 3, 3, 4, 4]")
    with pytest.raises(efspec.EfspecError) as error:
        loads(wrong, name="v2_s1.yaml")
    assert str(error.value) == shown.rstrip("\n")


def test_the_setup_commands_are_what_they_should_be() -> None:
    shell = [body.strip() for kind, body in FENCES if kind == "sh"]
    assert shell[0].endswith("efspec build specs/v2_s1.yaml")
    assert shell[1].endswith("pytest -n auto")


def test_the_block_of_the_how_to_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how_to = (ROOT / "efspec" / "blocks" / "README.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", how_to, re.DOTALL)
    (tmp_path / "my_block.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    block = importlib.import_module("my_block").MyBlock(kernel_size=5)
    module = trace(block, map_shape(8, 7, 5))
    assert module.outputs[0].shape == map_shape(8, 7, 5)
