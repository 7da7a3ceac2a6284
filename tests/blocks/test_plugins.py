"""Blocks of other packages: one file outside of efspec, and everything knows the block."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = """
efspec: 1
name: outside
input: {size: 32}
stem: {type: conv_stem, width: 8}
stages:
  - {width: 8, blocks: [{type: my_block, repeat: 2, kernel: 5}, {type: my_block}]}
head: {type: linear, classes: 3}
"""
SPACE = """
efspec: 1
name: outside
input: {size: 32}
stem: {type: conv_stem}
stages:
  - {width: [8, 16], depth: [1, 2], block: {type: my_block, kernel: 5}}
  - width: [8]
    depth: [1, 2]
    downsample: {type: conv}
    block: {type: my_block}
    attention: {type: my_block, kernel: 5}
    attention_depth: [0, 1, 2]
  - {width: [8], depth: [2], block: {type: ffn}, expansion_ratio: [1]}
head: {type: linear, classes: 3}
"""
MEMBERS = """
space = read_space("space.yaml")
for candidate in (smallest(space), largest(space)):
    resolve(member(space, candidate))
    assert candidate_of(space, member(space, candidate)) == candidate
entry = member(space, largest(space)).stages[0].blocks[0]
print(size(space), len(part_specs(space)) > 1, entry.model_dump())
"""
STEM = '''
from typing import Literal
from efspec.blocks.layers import ConvNorm
from efspec.blocks.options import DownsampleSpec, StemSpec

class QuickStemSpec(StemSpec):
    """One convolution."""

    type: Literal["quick"] = "quick"

    def block(self, act):
        return ConvNorm(out_dim=self.width, kernel_size=3, stride=2)

class PoolSpec(DownsampleSpec):
    """One more convolution."""

    type: Literal["shrink"] = "shrink"

    def block(self, width, act):
        return ConvNorm(out_dim=width, kernel_size=3, stride=2)
'''

Offer = Callable[..., None]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    """Install a package with a module that offers types."""

    def install(package: str, source: str, **types: str) -> None:
        folder = tmp_path / "site"
        info = folder / f"{package}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{package}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"{name} = {package}:{target}" for name, target in types.items()]
        (info / "entry_points.txt").write_text("\n".join(["[efspec.blocks]", *lines, ""]))

    return install


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run efspec in a fresh process, in a folder with the spec, with those packages installed."""
    (tmp_path / "outside.yaml").write_text(SPEC)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])

    def efspec(*arguments: str, module: str = "efspec") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *(["-m", module] if module else []), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return efspec


def how_to() -> str:
    text = (ROOT / "efspec" / "blocks" / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_the_block_of_the_how_to_has_everything(offer: Offer, run: Run, tmp_path: Path) -> None:
    offer("my_package", how_to(), my_block="MyBlockSpec")
    assert done(run("validate", "outside.yaml")) == "1 spec is valid\n"
    score = json.loads(done(run("score", "outside.yaml", "--json")))
    blocks = {row["name"]: row for row in score["blocks"]}
    (first, second, third) = (blocks[f"stages.0.blocks.{i}"] for i in range(3))
    assert first["type"] == "MyBlock"
    assert first == second | {"name": first["name"]}
    assert first["macs"] == 8 * 8 * 8 * 5 * 5
    assert third["macs"] == 8 * 8 * 8 * 3 * 3
    lines = (tmp_path / "outside.yaml").read_text()
    (tmp_path / "many.jsonl").write_text('{"extends": "outside.yaml"}\n' * 2)
    rows = done(run("score", "many.jsonl", "--format", "jsonl")).splitlines()
    assert [json.loads(row)["macs"] for row in rows] == [score["macs"]] * 2
    assert lines == SPEC
    schema = json.loads(done(run("schema", "network")))
    assert schema["$defs"]["MyBlockSpec"]["properties"]["kernel"]["enum"] == [3, 5]
    assert schema["$defs"]["MyBlockSpec"]["properties"]["kernel"]["description"] == "Kernel size."
    assert "MyBlock" in done(run("show", "outside.yaml"))
    assert "class MyBlock(nn.Module):" in done(run("generate", "outside.yaml"))
    done(run("build", "outside.yaml", "-o", "built"))
    counted = (
        "import efspec; spec = efspec.load('outside.yaml'); module = efspec.build(spec)\n"
        "print(sum(p.numel() for p in module.parameters()), efspec.score(spec).params)\n"
    )
    built, scored = done(run("-c", counted, module="")).split()
    assert built == scored == str(score["params"])


def test_stems_and_downsamples_may_come_from_outside(
    offer: Offer, run: Run, tmp_path: Path
) -> None:
    offer("stems", STEM, quick="QuickStemSpec", shrink="PoolSpec")
    spec = SPEC.replace("conv_stem", "quick").replace("my_block, repeat: 2, kernel: 5", "ffn")
    spec = spec.replace(", {type: my_block}", "")
    spec = spec.replace(
        "head:", "  - {width: 16, downsample: {type: shrink}, blocks: [{type: ffn}]}\nhead:"
    )
    (tmp_path / "outside.yaml").write_text(spec)
    score = json.loads(done(run("score", "outside.yaml", "--json")))
    assert [row["output"] for row in score["stages"]] == [
        [8, 16, 16], [8, 16, 16], [16, 8, 8], [3]
    ]  # fmt: skip


def test_spaces_may_be_of_blocks_from_outside(offer: Offer, run: Run, tmp_path: Path) -> None:
    offer("my_package", how_to(), my_block="MyBlockSpec")
    (tmp_path / "space.yaml").write_text(SPACE)
    imports = (
        "from efspec.spec import load, resolve\n"
        "from efspec.spec.candidates import *\n"
        "from efspec.spec.spaces import read_space\n"
    )
    known = "load('outside.yaml')\n"
    used = "v2 = read_space('v2'); member(v2, largest(v2))\n"
    for before in ("", known, used + known):  # models may be built before the type is there
        assert done(run("-c", imports + before + MEMBERS, module="")) == (
            "20 True {'type': 'my_block', 'repeat': 2, 'kernel': 5}\n"
        )
    ratios = SPACE.replace("kernel: 5}}", "kernel: 5}, expansion_ratio: [1, 2]}")
    (tmp_path / "space.yaml").write_text(ratios)
    result = run("-c", imports + MEMBERS, module="")
    told = "error[conflicting-options]: stages[0].expansion_ratio: blocks of the type `my_block`"
    assert told in result.stderr


def test_an_unknown_type_is_still_one(offer: Offer, run: Run) -> None:
    offer("my_package", how_to(), another="MyBlockSpec")
    result = run("validate", "outside.yaml")
    assert result.returncode == 1
    assert result.stderr.count("error[unknown-type]") == 2
    assert "my_package" not in result.stderr  # nobody asked for what it offers


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("import nothing_of_this_name", "Spec", "ModuleNotFoundError: No module named"),
        ("x = (", "Spec", "SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)", "Spec", "SystemExit: 3"),
        ("", "Spec", "AttributeError: module 'my_package' has no attribute 'Spec'"),
        ("Spec = int", "Spec", "TypeError: <class 'int'> is no subclass of BlockSpec"),
        (None, "MyBlock", "is no subclass of BlockSpec, StemSpec, DownsampleSpec"),
        (None, "BlockSpec", "TypeError: the default of its `type` is not 'my_block'"),
    ],
)
def test_a_broken_package_is_named(
    offer: Offer, run: Run, source: str | None, target: str, reason: str
) -> None:
    offer("my_package", how_to() if source is None else source, my_block=target)
    result = run("validate", "outside.yaml")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "error[broken-plugin]: the type `my_block` of package my_package 1.2" in result.stderr
    assert reason in result.stderr
    assert "pip uninstall my_package" in result.stderr
    assert "outside.yaml:7:" in result.stderr


def test_two_packages_with_one_name_are_named(offer: Offer, run: Run) -> None:
    for package in ("one", "other"):
        offer(package, how_to(), my_block="MyBlockSpec")
    result = run("validate", "outside.yaml")
    assert result.returncode == 1
    assert result.stderr.count("error[clashing-types]") == 2
    assert "one 1.2 and other 1.2 offer it" in result.stderr


def test_what_is_shipped_cannot_be_replaced(offer: Offer, run: Run) -> None:
    offer("my_package", how_to().replace('"my_block"', '"ffn"'), ffn="MyBlockSpec")
    assert run("score", "v2_s0").returncode == 0
    result = run("schema", "network")
    assert result.returncode == 0
    assert "error[clashing-types]: the type `ffn` of package my_package 1.2" in result.stderr
    report = json.loads(run("doctor", "--json").stdout)
    (check,) = [check for check in report["checks"] if check["name"] == "ffn"]
    assert (check["state"], check["version"]) == ("broken", "my_package 1.2")


def test_the_package_of_the_how_to_is_found(offer: Offer, run: Run, tmp_path: Path) -> None:
    page = (ROOT / "efspec" / "blocks" / "README.md").read_text()
    (project,) = map(tomllib.loads, re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    (spec,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    types = project["project"]["entry-points"]["efspec.blocks"]
    ((name, target),) = types.items()
    module, _, spec_class = target.partition(":")
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == [f"{module}.py"]
    offer(module, how_to(), **{name: spec_class})
    (tmp_path / "mine.yaml").write_text(spec)
    assert done(run("validate", "mine.yaml")) == "1 spec is valid\n"


@pytest.mark.parametrize("name", ["clashing-types/two_packages", "broken-plugin/no_module"])
def test_what_the_how_to_shows_is_told(name: str) -> None:
    page = (ROOT / "efspec" / "blocks" / "README.md").read_text()
    (shown,) = re.findall(rf"```\n(error\[{name.partition('/')[0]}\].*?)```", page, re.DOTALL)
    assert (ROOT / "tests" / "diagnostics" / f"{name}.txt").read_text().startswith(shown)
