"""The import table of the design: data flows one way, and heavy packages stay in their place."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import efspec

PACKAGE = Path(efspec.__file__).parent
LEVELS = {
    "errors": 0,
    "extras": 0,
    "record": 0,
    "resources": 0,
    "doctor": 3,
    "plan": 0,
    "blocks": 1,
    "spec": 2,
    "batch": 5,
    "importers": 2,
    "cost": 3,
    "card": 4,
    "codegen": 3,
    "deploy": 3,
    "diagram": 3,
    "templates": 3,
    "pytorch": 4,
    "coreml": 4,
    "onnx": 4,
    "latency": 4,
    "supernet": 5,
    "verify": 5,
    "lint": 4,
    "search": 5,
    "train": 5,
    "cli": 6,
    "api": 6,
    "__init__": 6,
    "__main__": 6,
}
OUTSIDE = {
    0: set(),
    1: {"pydantic", "pydantic_core"},
    2: {"orjson", "pydantic", "pydantic_core", "yaml"},
    3: {"jinja2", "markupsafe", "matplotlib", "numpy"},
    4: {"torch", "safetensors", "coremltools", "tqdm", "onnx", "onnxruntime", "scipy"},
    5: {"PIL", "pymoo", "timm", "torchvision", "accelerate", "sklearn", "mlxtend"},
    6: {"pyarrow", "typer", "rich", "pydantic", "torch", "safetensors"},
}
BACKENDS = {"cost", "codegen", "deploy", "diagram", "onnx"}
"""They see a plan, never a spec."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever it does; not those for types only."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            if node.module == "efspec":
                names |= {f"efspec.{alias.name}" for alias in node.names}
    return names


def test_every_part_has_a_level() -> None:
    assert {part(path) for path in modules()} - {"_data", "py"} <= LEVELS.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    level = LEVELS[part(path)]
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "efspec":
            other = rest.split(".")[0]
            if other not in LEVELS:
                continue  # a name of the package itself
            assert LEVELS[other] <= level, f"{name} is above {part(path)}"
            if part(path) in BACKENDS:
                assert other not in ("spec", "blocks"), f"{name}: a backend sees a plan only"
        elif top not in sys.stdlib_module_names:
            assert any(top in OUTSIDE[n] for n in OUTSIDE if n <= level), f"{name} at level {level}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    if part(path) == "cli":
        return
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [c for c in calls if getattr(c.func, "id", "") in ("print", "input")]
