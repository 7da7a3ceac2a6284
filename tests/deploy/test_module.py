"""Deployed networks as source and as modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.deploy import deploy
from efspec.pytorch.build import arrays, build_module, deployed_module
from efspec.pytorch.interpret import interpret
from efspec.resources import shipped_specs
from tests.pytorch.test_random import filled
from tests.strategies import networks

TOLERANCE = 1e-3
"""Of outputs of order one: weights and sums are rounded to single precision. The proof that
passes are exact is in double precision; this finds wrong wiring."""


@torch.no_grad()
def compare(plan: efspec.Plan) -> None:
    module = build_module(plan).eval()
    module.load_state_dict(filled(module.state_dict()))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    lean = deployed_module(plan, module)
    assert not lean.training
    channels, height, width = plan.input
    x = torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(0))
    outputs, others = module(x), lean(x)
    interpreted = interpret(deploy(plan).plan, dict(lean.state_dict()), x)
    single = isinstance(outputs, torch.Tensor)
    for one, other, third in zip(
        [outputs] if single else outputs, [others] if single else others, interpreted, strict=True
    ):
        assert (one - other).abs().max() <= TOLERANCE * max(1.0, float(one.abs().max()))
        assert torch.equal(other, third)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs(name: str) -> None:
    compare(efspec.resolve(efspec.load(name, set=["input.size=64"])))


def test_random_specs() -> None:
    @settings(
        max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(networks())
    def check(fields: dict[str, Any]) -> None:
        compare(efspec.resolve(efspec.load(fields)))

    check()


@pytest.mark.parametrize("name", shipped_specs())
def test_source_is_clean(name: str, tmp_path: Path) -> None:
    file = tmp_path / "network.py"
    file.write_text(efspec.generate(efspec.load(name), deploy=True))
    for arguments in (["check", "--select", "E,F,W,I,UP,SIM,RUF,B,C4,PERF"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "88"]
        result = subprocess.run([*command, file], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_source_says_that_it_is_deployed() -> None:
    source = efspec.generate(efspec.load("v2_s0"), deploy=True)
    assert "`efspec generate v2_s0.yaml --deploy -o v2_s0.py`" in source
    assert "BatchNorm2d" not in source
    assert "trunc_normal" not in source
    assert (
        '''    """Self-attention over a strided copy of a feature map, upsampled to its size.

    It has talking heads and a local path from values.

    The scores are scaled in the weights of the queries.'''
        in source
    )


def test_build_takes_a_checkpoint(tmp_path: Path) -> None:
    spec = efspec.load("v2_s0", set=["input.size=64"])
    module = efspec.build(spec).eval()
    module.load_state_dict(filled(module.state_dict()))
    torch.save(module.state_dict(), tmp_path / "v2_s0.pth")
    lean = efspec.build(spec, weights=tmp_path / "v2_s0.pth", deploy=True)
    expected = deploy(efspec.resolve(spec)).of(arrays(module))
    assert lean.state_dict().keys() == expected.keys()
    for name, value in lean.state_dict().items():
        assert torch.equal(value, torch.tensor(expected[name])), name
