"""No text in a spec becomes code: names and descriptions are refused, or stay what they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import efspec
from efspec.codegen import class_name
from tests.cli.conftest import TINY
from tests.hardening.nasty import CODE, TEXTS

FIELDS = efspec.load("v2_s0").model_dump(mode="json")
BENIGN = efspec.generate(efspec.load(FIELDS))


class WithoutTexts(ast.NodeTransformer):
    """Makes docstrings equal, and the network's own name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Expr(ast.Constant("")) if is_text else self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if node.name == self.name:
            node.name = "Network"
        return self.generic_visit(node)


def code(source: str, name: str) -> str:
    """What a source does, without what it says."""
    return ast.dump(WithoutTexts(class_name(name)).visit(ast.parse(source)))


def generated(**changes: Any) -> str | None:
    """The source of a network with other texts; None when they are refused."""
    try:
        return efspec.generate(efspec.load(FIELDS | changes))
    except efspec.EfspecError as error:
        for line in str(error).splitlines():
            assert line.isprintable()
        return None


def check(source: str, name: str = "v2_s0") -> None:
    assert source.isascii()
    assert source.isprintable() is False  # it has lines
    assert not set(source) & set(map(chr, (*range(10), *range(11, 32), 127)))
    assert code(source, name) == code(BENIGN, "v2_s0")


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_description_stays_a_comment(text: str) -> None:
    source = generated(description=text)
    assert (source is None) == (not text.isprintable() or len(text) > 500)
    if source is not None:
        check(source)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_name_is_a_name(text: str) -> None:
    assert generated(name=text) is None
    assert generated(name=f"a{text}") is None or text.isascii()


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_other_texts_are_refused(text: str) -> None:
    first = FIELDS["stages"][0]
    for changes in (
        {"defaults": {"act": text}},
        {"stem": {"type": text, "width": 32}},
        {"head": {"type": "linear", "norm": text}},
        {"stages": [first | {"blocks": [{"type": text}]}, *FIELDS["stages"][1:]]},
        {"stages": [first | {"blocks": [{"type": "mb4d", "mixer": text}]}]},
        {text: 1},
    ):
        assert generated(**changes) is None


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.lists(st.sampled_from(TEXTS[:-1]) | st.text(max_size=20), max_size=6))
def test_random_descriptions_stay_comments(parts: list[str]) -> None:
    text = "".join(parts)
    source = generated(description=text)
    assert (source is None) == (not text.isprintable() or len(text) > 500)
    if source is not None:
        check(source)


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(st.text("aZ09_.-\n\"'#\\{}", max_size=70))
def test_random_names_are_refused_or_harmless(name: str) -> None:
    source = generated(name=name)
    if source is not None:
        check(source, name)


def test_sources_compile_without_a_warning_and_are_formatted(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if text.isprintable() and len(text) <= 500]
    assert len(texts) > 30
    for number, text in enumerate(texts):
        source = generated(description=text)
        assert source is not None
        (tmp_path / f"n{number}.py").write_text(source)
    for command in (
        ["-W", "error", "-m", "compileall", "-q"],
        ["-m", "ruff", "format", "--isolated", "--check"],
    ):
        result = subprocess.run(
            [sys.executable, *command, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("text", CODE, ids=ascii)
def test_texts_in_files_are_no_code(text: str, tmp_path: Path) -> None:
    """Through YAML and what it can escape, not only through Python."""
    import json

    for written in (text, json.dumps(text)):
        file = tmp_path / "x.yaml"
        file.write_text(TINY.replace("name: tiny", f"name: tiny\ndescription: {written}"))
        try:
            source = efspec.generate(efspec.load(file))
        except efspec.EfspecError:
            continue
        assert code(source, "tiny") == code(efspec.generate(efspec.load(fields_of_tiny())), "tiny")


def fields_of_tiny() -> dict[str, Any]:
    from efspec.spec import loads

    return loads(TINY).model_dump(mode="json")
