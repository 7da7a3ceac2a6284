"""What must stay quick stays free of torch; seen from a process that has imported nothing yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "coremltools", "numpy", "jinja2", "matplotlib", "scipy", "timm")

CHECK = """
import sys
from efspec.cli.main import app
try:
    app({arguments!r})
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = [name for name in {heavy!r} if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["score", "v2_s1"], ()),
        (["score", "v2_s1", "v1_l1", "--json"], ()),
        (["score", "v2_s1", "--by", "op", "--latency-ms", "1.1"], ()),
        (["score", "v2_s1", "--device", "iphone12"], ()),
        (["lint", "v2_s1", "v1_l1", "--device", "iphone12"], ()),
        (["validate", "v2_s1"], ()),
        (["show", "v1_l1"], ()),
        (["show", "v1_l1", "--format", "json"], ()),
        (["show", "v1_l1", "--format", "svg"], ()),
        (["show", "v1_l1", "--format", "mermaid"], ()),
        (["diff", "v1_l1", "v2_s1"], ()),
        (["diff", "v1_l1", "v2_s1", "--json"], ()),
        (["generate", "v2_s1"], ("jinja2",)),
        (["latency", "list", "v2_s1"], ()),
        (["latency", "--help"], ()),
        (["train", "--help"], ()),
        (["schema", "network"], ()),
        (["doctor"], ()),
        (["--help"], ()),
    ],
    ids=lambda value: "_".join(value).strip("-") or "none",
)
def test_commands_import_nothing_heavy(
    arguments: list[str], allowed: tuple[str, ...], tmp_path: Path
) -> None:
    heavy = [name for name in HEAVY if name not in allowed]
    script = CHECK.format(arguments=arguments, heavy=heavy)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 0, result.stderr


def test_importing_efspec_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import efspec;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "assert not new - sys.stdlib_module_names - {'efspec'}, new"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
