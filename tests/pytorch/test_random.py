"""Random valid specs: what the plan says is what the module does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch.utils.flop_counter import FlopCounterMode

import efspec
from efspec.pytorch.interpret import interpret
from tests.strategies import networks

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

SHARDS, EXAMPLES = 4, 125
"""500 specs in all; shards let several processes share them."""


def filled(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of order one: at their initial values a wrong block would hardly show."""
    return {
        key: torch.from_numpy(np.asarray(golden.fill(key, tuple(value.shape))))
        for key, value in state.items()
    }


@pytest.mark.parametrize("shard", range(SHARDS))
def test_plan_equals_module(shard: int) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        database=None,
    )
    @given(networks())
    def check(fields: dict[str, Any]) -> None:
        compare(fields)

    check()


def compare(fields: dict[str, Any]) -> None:
    """Everything that must be equal, of one spec."""
    plan = efspec.resolve(efspec.load(fields))
    module = efspec.build(plan).eval()
    own = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    trainable = {key: tuple(p.shape) for key, p in module.named_parameters()}
    assert own == {**plan.parameters(), **plan.buffers()}
    assert trainable == plan.parameters()

    score = efspec.score(plan)
    assert score.params == sum(p.numel() for p in module.parameters())

    state = filled(module.state_dict())
    module.load_state_dict(state)
    x = torch.from_numpy(golden.image(1, max(plan.input)))[:, : plan.input[0]]
    x = x[:, :, : plan.input[1], : plan.input[2]]
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        result = module(x)
    assert 2 * score.macs == flops.get_total_flops()
    outputs = result if isinstance(result, tuple) else (result,)
    shapes = [value.shape.sizes for value in plan.network.outputs]
    assert [tuple(y.shape[1:]) for y in outputs] == shapes
    with torch.no_grad():
        interpreted = interpret(plan, state, x)
    for y, z in zip(outputs, interpreted, strict=True):
        assert torch.isfinite(y).all()
        assert torch.equal(y, z)
