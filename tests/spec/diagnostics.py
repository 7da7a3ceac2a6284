"""The corpus of mistakes in `tests/diagnostics`, and how a case is run.

A case is a file `<diagnostic>/<case>.<ending>` and what efspec says of it, `<case>.txt`. Files
that begin with `_` belong to other cases. A `.name` file holds what the user asks for instead of
a spec, and comment lines `# --set FIELD=VALUE` at the top of a YAML case are options.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from efspec import resources
from efspec.errors import Diagnostic, EfspecError
from efspec.spec import load, load_all, resolve

CORPUS = Path(__file__).parent.parent / "diagnostics"


def cases() -> list[Path]:
    files = (path for path in CORPUS.glob("*/*") if path.is_file())
    return sorted(f for f in files if f.suffix != ".txt" and not f.name.startswith("_"))


def diagnose(case: Path) -> list[Diagnostic]:
    """What efspec says of a case, run in its folder; any exception but EfspecError is a bug."""
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


def rendered(diagnostics: list[Diagnostic]) -> str:
    """The text for a terminal, but for which specs are shipped, and in which folder they lie."""
    text = "\n".join(diagnostic.render() for diagnostic in diagnostics) + "\n"
    names = ", ".join(name for name in resources.shipped_specs() if "/" not in name)
    return text.replace(str(resources.folder("specs")), "<specs>").replace(names, "<names>")


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
