"""The corpus of mistakes in `tests/diagnostics`, and how a case is run.

A case is a file `<diagnostic>/<case>.<ending>` and what efspec says of it, `<case>.txt`.

| ending | the case |
|---|---|
| `.command` | commands, one per line, without `efspec` before them; the last one fails |
| `.python` | Python with `efspec` imported |
| `.name` | what the user asks for instead of a spec |
| any other | a spec; comment lines `# --set FIELD=VALUE` at the top of a YAML spec are options |

Files and folders that begin with `_` belong to other cases. A spec's case runs in its folder;
commands and Python run in an empty one, with those of its folder and of the corpus.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import efspec
from efspec import resources
from efspec.cli.main import main
from efspec.errors import Diagnostic, EfspecError
from efspec.spec import load, load_all, resolve

CORPUS = Path(__file__).parent.parent / "diagnostics"
RUN = (".command", ".python")
"""Endings of cases that are run, and not read."""


def cases() -> list[Path]:
    files = (path for path in CORPUS.glob("[!_]*/*") if path.is_file())
    return sorted(f for f in files if f.suffix != ".txt" and not f.name.startswith("_"))


def told(case: Path, folder: Path) -> str:
    """What efspec says of a case, as text for a terminal.

    Args:
        case: The case; any exception but EfspecError is a bug.
        folder: An empty folder.
    """
    if case.suffix not in RUN:
        return rendered(diagnose(case))
    for path in (*CORPUS.glob("_*"), *case.parent.glob("_*")):
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, folder / path.name)
    with working_in(folder):
        return anywhere((_commands if case.suffix == ".command" else _python)(case.read_text()))


def rendered(diagnostics: list[Diagnostic]) -> str:
    """The text for a terminal, as it is on any machine."""
    return anywhere("\n".join(diagnostic.render() for diagnostic in diagnostics) + "\n")


def anywhere(text: str) -> str:
    """A text but for which specs are shipped, and in which folder they lie."""
    names = ", ".join(name for name in resources.shipped_specs() if "/" not in name)
    return text.replace(str(resources.folder("specs")), "<specs>").replace(names, "<names>")


def names(text: str) -> set[str]:
    """The diagnostics in a text."""
    return set(re.findall(r"error\[([a-z-]+)\]: ", text))


def diagnose(case: Path) -> list[Diagnostic]:
    """What efspec says of a case that is a spec or the name of one."""
    found: list[Diagnostic] = []
    with working_in(case.parent):
        try:
            if case.suffix == ".jsonl":
                for result in load_all(case.name):
                    found += result.diagnostics if isinstance(result, EfspecError) else ()
            else:
                source = case.read_text().strip("\n") if case.suffix == ".name" else case.name
                resolve(load(source, set=options(case)))
        except EfspecError as error:
            found += error.diagnostics
    return found


def options(case: Path) -> list[str]:
    if case.suffix != ".yaml":
        return []
    lines = case.read_bytes().decode(errors="replace").splitlines()
    return [line[8:] for line in lines if line.startswith("# --set ")]


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _commands(text: str) -> str:
    """Standard error of commands, of which only the last one has something to say."""
    errors = io.StringIO()
    *earlier, last = text.splitlines()
    for command in earlier:
        assert _command(command, errors) == 0
        assert errors.getvalue() == ""
    assert _command(last, errors) == 1
    return errors.getvalue()


def _command(command: str, errors: io.StringIO) -> object:
    """The exit code of a command, run in this process."""
    arguments = mock.patch.object(sys, "argv", ["efspec", *shlex.split(command)])
    with arguments, redirect_stdout(io.StringIO()), redirect_stderr(errors):
        try:
            main()
        except SystemExit as stop:
            return stop.code or 0
    return 0


def _python(text: str) -> str:
    try:
        exec(text, {"efspec": efspec})
    except EfspecError as error:
        return f"{error}\n"
    return ""
