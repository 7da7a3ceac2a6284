"""Every mistake in the corpus is told as its golden file says, at its line and column."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import efspec
from tests.spec.diagnostics import CORPUS, cases, diagnose, rendered

PACKAGE = Path(efspec.__file__).parent
SOURCES = ("spec", "blocks", "plan")
NAMING = {"fail", "mistake", "PydanticCustomError", "diagnostic", "Diagnostic"}
"""What makes a diagnostic of a name, as the first argument or as `name`."""
OF_LARGE_INPUTS = {"file-too-large"}
"""Tested in test_limits, with an input that is better made than kept."""


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_case(case: Path, update_golden: bool) -> None:
    found = diagnose(case)
    golden = case.with_suffix(".txt")
    if update_golden:
        golden.write_text(rendered(found))
    assert case.parent.name in {diagnostic.name for diagnostic in found}
    assert rendered(found) == golden.read_text()


def test_corpus_is_large() -> None:
    assert len(cases()) >= 300


def test_no_golden_file_without_a_case() -> None:
    known = {case.with_suffix(".txt") for case in cases()}
    assert set(CORPUS.glob("*/*.txt")) <= known


def test_every_diagnostic_has_a_case() -> None:
    folders = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert produced() - OF_LARGE_INPUTS == folders


def produced() -> set[str]:
    """The names of diagnostics in the code."""
    names = set()
    for part in SOURCES:
        for path in PACKAGE.joinpath(part).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _called(node.func) in NAMING:
                    keywords = [k.value for k in node.keywords if k.arg == "name"]
                    first = (keywords or node.args or [None])[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        names.add(first.value)
    return names


def _called(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))
