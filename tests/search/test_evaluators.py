"""What finds accuracies: commands, functions and results that are there."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import efspec
from efspec.errors import EfspecError
from efspec.search.evaluators import by_command, by_function, by_results
from efspec.spec.candidates import largest, member, smallest
from efspec.spec.dump import spec_hash
from efspec.spec.spaces import read_space

SPACE = read_space("digits")
ONE = largest(SPACE)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("said", ["0.75", '{"accuracy": 0.75, "loss": 2}', "done\\n0.75\\n"])
def test_a_command_says_an_accuracy(said: str) -> None:
    assert by_command(SPACE, python(f"print('''{said}''')"))(ONE) == 0.75


def test_a_command_gets_the_spec() -> None:
    code = (
        "import sys; from efspec import score; from efspec.spec.loader import loads;"
        " print(1 / score(loads(sys.stdin.read())).params)"
    )
    for candidate in (ONE, smallest(SPACE)):
        found = by_command(SPACE, python(code))(candidate)
        assert found == 1 / efspec.score(member(SPACE, candidate)).params


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("import sys; sys.exit('no images')"), "it ended with 1: no images"),
        (python("print('fine')"), "it printed 'fine'"),
        (python(""), "it printed nothing"),
        (python("print([1])"), "it printed '[1]'"),
        (["no-such-program-anywhere"], "No such file or directory"),
        (python("import os; os.kill(os.getpid(), 9)"), "it ended with -9"),
    ],
)
def test_a_command_that_fails(command: list[str], said: str) -> None:
    with pytest.raises(EfspecError, match="failed-evaluator") as error:
        by_command(SPACE, command)(ONE)
    assert said in str(error.value)


def test_a_command_that_hangs_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    child = (
        "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    )
    code = (
        f"import os, subprocess, sys; os.chdir({str(tmp_path)!r});"
        f" subprocess.run([sys.executable, '-c', {child!r}])"
    )
    with pytest.raises(EfspecError, match="it took more than 3 seconds"):
        by_command(SPACE, python(code), timeout=3)(ONE)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("the child goes on")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rated.py").write_text(
        "def good(spec):\n    return {'accuracy': 1 / spec.stages[0].width}\n"
        "def bad(spec):\n    raise KeyError('width')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert by_function(SPACE, "rated:good")(ONE) == 1 / ONE.stages[0].width
    with pytest.raises(EfspecError, match="`rated:bad` failed: KeyError: 'width'"):
        by_function(SPACE, "rated:bad")(ONE)
    for name in ("rated:other", "nothing_here:good", "rated", ":", "rated:good.not"):
        with pytest.raises(EfspecError, match="failed-evaluator"):
            by_function(SPACE, name)


def test_results(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text(f"hash,note,accuracy\n{spec_hash(member(SPACE, ONE))},large,0.5\n")
    evaluate = by_results(SPACE, file)
    assert evaluate(ONE) == 0.5
    with pytest.raises(EfspecError, match="no-result"):
        evaluate(smallest(SPACE))
    for text in ("hash,acc\na,1\n", "hash,accuracy\na\n", "hash,accuracy\na,high\n", "\xff\n"):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(EfspecError, match="bad-results"):
            by_results(SPACE, file)
