"""Generated source: what it computes, and what it looks like."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.blocks import BLOCKS, DOWNSAMPLES, STEMS
from efspec.blocks.options import BlockSpec, Site
from efspec.codegen import class_name
from efspec.codegen.classes import ClassWriter
from efspec.codegen.layout import LINE_LENGTH
from efspec.plan import (
    Block,
    CallStep,
    Module,
    OpStep,
    Shape,
    map_shape,
    parametric,
    token_shape,
    trace,
)
from efspec.resources import shipped_specs
from tests.strategies import networks

SPECS = list(shipped_specs())


def source_of(name: str) -> str:
    return efspec.generate(efspec.load(name))


@pytest.mark.parametrize("name", SPECS)
def test_runs_alone_and_bitwise_like_the_module(name: str, tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load(name, set=["input.size=96"]))
    module = efspec.build(plan).eval()
    x = torch.randn(1, *plan.input)
    (tmp_path / "network.py").write_text(efspec.generate(plan))
    with torch.no_grad():
        torch.save((module.state_dict(), x, module(x)), tmp_path / "case.pt")
    script = (
        "import sys; sys.modules['efspec'] = None\n"  # importing it is an error from here on
        "import torch, network\n"
        "state, x, y = torch.load('case.pt')\n"
        f"module = network.{class_name(plan.name)}().eval()\n"
        "module.load_state_dict(state)\n"
        "with torch.no_grad(): assert torch.equal(module(x), y)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 0, result.stderr


def test_is_the_same_in_processes_with_other_hash_seeds() -> None:
    script = "import efspec; print(efspec.generate(efspec.load('v2_l')), end='')"
    texts = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    ]
    assert texts == [source_of("v2_l").encode()] * 3


@pytest.mark.parametrize("name", SPECS)
def test_imports_only_torch(name: str) -> None:
    imports = re.findall(r"^\s*(?:import|from) (\S+)", source_of(name), re.MULTILINE)
    assert imports == ["torch", "torch"]


def lint(folder: Path) -> None:
    """Formatted and clean by ruff's own defaults, and fully annotated."""
    commands = [
        ["ruff", "format", "--isolated", "--check", "--diff", "."],
        ["ruff", "check", "--isolated", "--select", "E,F,I,B,C4,UP,SIM,RUF,N", "."],
    ]
    for command in commands:
        result = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_shipped_specs_give_clean_source(tmp_path: Path) -> None:
    for name in SPECS:
        (tmp_path / f"{name.replace('/', '_')}.py").write_text(source_of(name))
    lint(tmp_path)


def test_random_specs_give_clean_source(tmp_path: Path) -> None:
    count = 0

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(networks(max_size=96))
    def write(fields: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        (tmp_path / f"random_{count}.py").write_text(efspec.generate(efspec.load(fields)))

    write()
    lint(tmp_path)


def test_source_is_fully_annotated(tmp_path: Path) -> None:
    for name in ("v1_l1", "v2_s1"):
        (tmp_path / f"{name}.py").write_text(source_of(name))
    flags = ["--disallow-untyped-defs", "--disallow-incomplete-defs", "--check-untyped-defs"]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, "--config-file=", "."],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", SPECS)
def test_blocks_are_not_unrolled(name: str) -> None:
    source = source_of(name)
    for line in source.splitlines():
        assert len(line) <= LINE_LENGTH
    items = re.findall(r"^ {16}([A-Z]\w+\(.*\)),$", source, re.MULTILINE)
    assert not [a for a, b in pairwise(items) if a == b]


def test_a_literal_change_of_the_spec_is_a_small_change_of_the_source() -> None:
    wide = efspec.generate(efspec.load("v2_s1", set=["stages.3.width=256"]))
    before, after = source_of("v2_s1").splitlines(), wide.splitlines()
    changed = [b for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) <= 10  # the hash, the blocks of the stage, norm and heads


SIZES = [(1, 1, 1, 1), (5, 3, 7, 5), (8, 8, 8, 8), (16, 9, 4, 16), (32, 2, 2, 64)]
"""Channels, height, width and stage width: odd ones, ones, and sizes that coincide."""


def variants(spec: type[BlockSpec]) -> list[dict[str, Any]]:
    """Options of a block type, one of each kind of structure."""
    structures: list[dict[str, Any]] = [{}]
    if "mixer" in spec.model_fields:
        structures += [{"mixer": "dwconv"}]
    if "kv_stride" in spec.model_fields:
        structures += [{"stride": 2}, {"kv_stride": 2}, {"local_v": False, "mid_conv": False}]
    return [*structures, {"layer_scale": None}, {"act": "relu"}]


def all_blocks(width: int) -> dict[str, list[Block]]:
    """Every block type in every structure, in one stage width."""
    found: dict[str, list[Block]] = {}
    site = Site(width=width, index=0, act="gelu", layer_scale=1e-5, drop_path=None)
    for spec in BLOCKS:
        for options in variants(spec):
            for drop_path in (None, 0.25):
                block = spec(**options).block(site.replaced(drop_path=drop_path))
                found[f"{spec.__name__} {options} {drop_path}"] = [block]
    for downsample in DOWNSAMPLES:
        found[downsample.__name__] = [downsample().block(width, "gelu")]
    for stem in STEMS:
        found[stem.__name__] = [stem(width=max(width, 2)).block("gelu")]
    return found


@pytest.mark.parametrize("name", all_blocks(8))
def test_written_in_arguments_a_module_is_the_same(name: str) -> None:
    def check(module: Module) -> None:
        written = parametric(module)
        assert [v.shape for v in written.outputs] == [v.shape for v in module.outputs]
        for step, other in zip(module.steps, written.steps, strict=True):
            assert [v.shape for v in step.outputs] == [v.shape for v in other.outputs]
            if isinstance(step, CallStep):
                assert isinstance(other, CallStep)
                assert step.module is other.module
                assert step.arguments == other.arguments
                check(step.module)
            else:
                assert isinstance(other, OpStep)
                assert step.op == other.op

    for block in all_blocks(8)[name]:
        check(trace(block, fitting(block, 3 if name.endswith("StemSpec") else 8, 9, 6)))


@pytest.mark.parametrize("name", all_blocks(8))
def test_no_number_leaks_into_a_class(name: str) -> None:
    """One block type with one structure is one class, whatever its sizes."""
    texts = set()
    for channels, height, width, stage in SIZES:
        block = all_blocks(stage)[name][0]
        strided = "Stride" in block.class_name() or "AttentionDownsample" in block.class_name()
        if strided and (height, width) == (1, 1):
            continue
        is_stem = name.endswith("StemSpec")
        shape = fitting(block, stage if not is_stem else channels, height, width)
        module = trace(block, shape)
        writer = ClassWriter(module, "Root")
        variant = dict(module.variant)
        classes = {c.name: c for c in writer.classes.values()}
        texts.add((repr(variant.get("padding")), repr(sorted(classes.items()))))
    paddings = {padding for padding, _ in texts}
    assert len(texts) == len(paddings)


def fitting(block: Block, channels: int, height: int, width: int) -> Shape:
    make = token_shape if block.takes() == "tokens" else map_shape
    return make(channels, height, width)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v2_s1", "V2S1"),
        ("my-net.v3", "MyNetV3"),
        ("tensor", "TensorNetwork"),
        ("none", "NoneNetwork"),
        ("stage", "StageNetwork"),
        ("class", "Class"),
    ],
)
def test_class_names_are_free(name: str, expected: str) -> None:
    assert class_name(name) == expected
    fields = efspec.load("v2_s0", set=[f"name={name}", "input.size=64"])
    assert type(efspec.build(fields)).__name__ == expected


@pytest.mark.parametrize("name", ["FFN", "MapAttention", "ConvNorm", "Downsample"])
def test_a_network_may_be_called_like_a_block(name: str) -> None:
    module = efspec.build(efspec.load("v2_s0", set=[f"name={name}", "input.size=64"])).eval()
    assert module(torch.randn(1, 3, 64, 64)).shape == (1, 1000)


def test_descriptions_cannot_become_code() -> None:
    description = 'x"""; import os; os.abort() # \\" \' {{ 1 }} {% raise %} é'
    spec = efspec.load(efspec.load("v2_s0").model_dump(mode="json") | {"description": description})
    namespace: dict[str, Any] = {}
    exec(efspec.generate(spec), namespace)
    assert "os" not in namespace


def test_variants_of_a_block_get_telling_names() -> None:
    spec = efspec.load("v2_s0", set=["stages.0.blocks.0.act=relu"])
    source = efspec.generate(spec)
    assert "class FFNRelu(nn.Module)" in source
    assert "class FFNGelu(nn.Module)" in source


def test_users_templates_take_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "support.py.jinja").write_text("# nothing of ours\n")
    source = efspec.generate(efspec.load("v2_s0"), templates=tmp_path)
    assert "# nothing of ours" in source
    assert "class V2S0(nn.Module)" in source
    (tmp_path / "support.py.jinja").write_text("{{ nonsense }}")
    with pytest.raises(efspec.EfspecError, match="bad-template"):
        efspec.generate(efspec.load("v2_s0"), templates=tmp_path)


@pytest.mark.parametrize("text", ["{{ 1/0 }}", "{% for x in plan %}{% endfor %}", "{% if %}"])
def test_a_broken_template_is_a_diagnostic(text: str, tmp_path: Path) -> None:
    (tmp_path / "support.py.jinja").write_text(text)
    with pytest.raises(efspec.EfspecError, match="bad-template"):
        efspec.generate(efspec.load("v2_s0"), templates=tmp_path)
    (tmp_path / "support.py.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(efspec.EfspecError, match="bad-template"):
        efspec.generate(efspec.load("v2_s0"), templates=tmp_path)


def test_a_folder_of_templates_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(efspec.EfspecError, match="no-such-folder"):
        efspec.generate(efspec.load("v2_s0"), templates=tmp_path / "nowhere")
