"""What the page of each package says is so: its tables, its files, its names and its examples."""

from __future__ import annotations

import ast
import builtins
import re
from importlib import import_module
from pathlib import Path

import pytest

from tests import pages
from tests.pages import PAGES, ROOT

TEXTS = {package: page.read_text() for package, page in PAGES.items() if page.is_file()}
PATH = re.compile(r"`((?:efspec|schemas|specs|templates|tests)/[\w./-]+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")
CALL = re.compile(r"`(?:\w+\.)*(\w+)\([^`]*\)`")
LIMIT = re.compile(r"^\| .+ \| `([\w.]+)\.(MAX_\w+)` \| ([\d,]+) \|$", re.MULTILINE)
PRINTED = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)


def test_every_package_has_a_page() -> None:
    assert TEXTS.keys() == PAGES.keys()


def test_the_readme_leads_to_every_page() -> None:
    linked = re.findall(r"^\| \[`efspec/(\w+)/`\]\(efspec/\1/README\.md\)", _readme(), re.MULTILINE)
    assert sorted(linked) == list(PAGES)


@pytest.mark.parametrize("package", TEXTS)
def test_what_follows_from_the_code_is_fresh(package: str, update_golden: bool) -> None:
    fresh = pages.derived(TEXTS[package], package)
    if update_golden:
        PAGES[package].write_text(fresh)
        return
    assert TEXTS[package] == fresh


@pytest.mark.parametrize("package", TEXTS)
def test_it_names_the_files_that_there_are(package: str) -> None:
    named = set(re.findall(r"^\| `(\w+\.py)` \|", TEXTS[package], re.MULTILINE))
    assert named == {file.name for file in pages.modules(package)}


@pytest.mark.parametrize("package", TEXTS)
def test_paths_and_links_lead_somewhere(package: str) -> None:
    for path in PATH.findall(TEXTS[package]):
        assert (ROOT / path).exists(), path
    for link in LINK.findall(TEXTS[package]):
        assert (PAGES[package].parent / link).exists(), link


@pytest.mark.parametrize("package", TEXTS)
def test_functions_that_it_names_are_there(package: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXTS[package], flags=re.DOTALL | re.MULTILINE)
    assert set(CALL.findall(prose)) <= _defined() | set(dir(builtins))


@pytest.mark.parametrize("package", TEXTS)
def test_limits_are_those_of_the_code(package: str) -> None:
    for module, name, value in LIMIT.findall(TEXTS[package]):
        assert getattr(import_module(module), name) == int(value.replace(",", "")), name


@pytest.mark.parametrize("package", TEXTS)
def test_its_python_runs(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What an example prints stands behind it as a comment, line by line."""
    monkeypatch.chdir(tmp_path)
    for example in pages.fences(TEXTS[package], "python"):
        pages.provide(example, tmp_path)
        exec(compile(example, "<page>", "exec"), {"__name__": "page"})
        assert capsys.readouterr().out.splitlines() == PRINTED.findall(example)


@pytest.mark.parametrize("package", TEXTS)
def test_its_commands_run(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one folder; one that is to fail says its exit code in a comment."""
    monkeypatch.chdir(tmp_path)
    for example in pages.fences(TEXTS[package], "sh"):
        pages.provide(example, tmp_path)
        for command in example.replace("\\\n", "").splitlines():
            if command.startswith("efspec "):
                wanted = re.search(r"# exit code (\d)", command)
                assert pages.run(command) == int(wanted[1] if wanted else 0), command


def _readme() -> str:
    return (ROOT / "README.md").read_text()


def _defined() -> set[str]:
    """The names of all functions and classes of efspec."""
    trees = (ast.parse(file.read_text()) for file in (ROOT / "efspec").rglob("*.py"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {n.name for tree in trees for n in ast.walk(tree) if isinstance(n, kinds)}
