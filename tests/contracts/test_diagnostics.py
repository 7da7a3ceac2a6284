"""Every mistake that efspec can tell of is in the corpus, and nothing else is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import efspec
from tests.spec.diagnostics import CORPUS

PACKAGE = Path(efspec.__file__).parent
IMPORTS = CORPUS.parent / "importers" / "mistakes"
"""The cases of `efspec import`."""
NAMING = {"Diagnostic", "PydanticCustomError", "diagnostic", "fail", "mistake"}
"""What makes a diagnostic of a name, which is its first argument or `name`."""


def test_every_diagnostic_has_a_case() -> None:
    folders = {path.name for path in (*CORPUS.iterdir(), *IMPORTS.iterdir()) if path.is_dir()}
    folders = {name for name in folders if not name.startswith("_")}
    found = {name for path in PACKAGE.rglob("*.py") for name in named(ast.parse(path.read_text()))}
    assert found == folders


def named(tree: ast.Module) -> Iterator[str]:
    """The names of diagnostics in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in NAMING:
            keywords = [k.value for k in node.keywords if k.arg == "name"]
            for first in (keywords or node.args)[:1]:
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def _called(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))
