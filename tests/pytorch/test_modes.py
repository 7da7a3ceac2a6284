"""The interpreter in the modes in which statistics of batch norm change."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

import efspec
from efspec.plan import Plan
from efspec.pytorch.interpret import interpret
from tests.pytorch.states import assert_same_bits
from tests.pytorch.test_build import EVERY_BLOCK, STRANGE

DROPPING = {**EVERY_BLOCK, "defaults": {"drop_path": 0.5, "layer_scale": 0.5}}
BATCHES = 3
REORDERED = 1e-9
"""Gradients that come from several readers are added in another order, in 64 bits."""


def images(plan: Plan, seed: int = 0) -> Tensor:
    return torch.randn(4, *plan.input, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("source", [DROPPING, *STRANGE.values()], ids=["dropping", *STRANGE])
def test_training_is_what_the_module_does(source: dict[str, object]) -> None:
    """Outputs, statistics and gradients: the same numbers, with the same random ones."""
    plan = efspec.resolve(efspec.load(source))
    module = efspec.build(plan).double()
    other = copy.deepcopy(module)
    state = dict(other.named_parameters()) | dict(other.named_buffers())
    for step in range(2):
        x = images(plan, step).double()
        torch.manual_seed(step)
        wanted = module(x)
        torch.manual_seed(step)
        found = interpret(plan, state, x, mode="train")
        assert len(found) == len(wanted)
        assert all(map(torch.equal, found, wanted))
        sum(y.square().mean() for y in wanted).backward()
        sum(y.square().mean() for y in found).backward()
    for (key, one), two in zip(module.named_parameters(), other.parameters(), strict=True):
        assert one.grad is not None, key
        assert two.grad is not None, key
        assert torch.allclose(one.grad, two.grad, rtol=REORDERED, atol=REORDERED), key
    assert_same_bits(dict(other.state_dict()), dict(module.state_dict()))


@torch.no_grad()
def test_calibration_averages_over_batches() -> None:
    """What PyTorch's batch norm does without a momentum; nothing is dropped."""
    plan = efspec.resolve(efspec.load(DROPPING))
    module = efspec.build(plan)
    state = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    for part in module.modules():
        part.training = isinstance(part, torch.nn.BatchNorm2d)
        if part.training:
            part.momentum = None
    for step in range(BATCHES):
        x = images(plan, step)
        (found,) = interpret(plan, state, x, mode="calibrate")
        assert torch.equal(found, module(x))
    assert_same_bits(state, dict(module.state_dict()))


def test_inference_before_training_leaves_nothing_that_has_no_gradient() -> None:
    plan = efspec.resolve(efspec.load({**DROPPING, "input": {"size": 96}}))
    module = efspec.build(plan)
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.inference_mode():
        interpret(plan, state, images(plan))
    for y in interpret(plan, state, images(plan), mode="train"):
        y.sum().backward(retain_graph=True)
    assert all(parameter.grad is not None for parameter in module.parameters())
