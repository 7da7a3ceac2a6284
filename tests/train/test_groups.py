"""Which parameters decay, and which learn more slowly."""

from __future__ import annotations

import pytest

import efspec
from efspec.pytorch.build import build_module
from efspec.train.groups import parameter_groups, treatments
from tests.train import networks


def names(network: efspec.plan.Plan, decays: bool) -> set[str]:
    return {name for name, one in treatments(network).items() if one.decays == decays}


@pytest.mark.parametrize("name", ["v1_l1", "v2_s0"])
def test_only_weights_of_convolutions_and_linears_decay(name: str) -> None:
    network = efspec.resolve(efspec.load(name))
    decaying, others = names(network, decays=True), names(network, decays=False)
    assert decaying | others == set(network.parameters())
    assert all(key.endswith(".weight") for key in decaying)
    assert all(len(network.parameters()[key]) >= 2 for key in decaying)
    ends = ("bias", "gamma", "attention_biases")
    norms = {key for key in others if not key.endswith(ends)}
    assert norms
    assert all(len(network.parameters()[key]) == 1 for key in norms)
    assert any(key.endswith("attention_biases") for key in others)


def test_groups_hold_each_parameter_once() -> None:
    network = networks.plan()
    module = build_module(network)
    groups = parameter_groups(network, module.named_parameters(), networks.recipe())
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in module.parameters())
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.02]


def test_learning_rates_fall_towards_the_stem() -> None:
    network = networks.plan()
    module = build_module(network)
    how = networks.recipe(optimizer={"lr": 1e-3, "layer_decay": 0.5})
    groups = parameter_groups(network, module.named_parameters(), how)
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    by_name = {name: scales[id(p)] for name, p in module.named_parameters()}
    assert by_name["head.weight"] == by_name["norm.weight"] == 1.0
    # stem, block, downsample, block, block, head
    assert by_name["stem.conv1.conv.weight"] == 0.5**5
    assert by_name["stages.1.blocks.1.token_mixer.attention_biases"] == 0.5


def test_what_is_frozen_is_in_no_group() -> None:
    network = networks.plan()
    module = build_module(network)
    module.requires_grad_(False)
    module.get_parameter("head.weight").requires_grad_(True)
    (group,) = parameter_groups(network, module.named_parameters(), networks.recipe())
    assert group["params"] == [module.get_parameter("head.weight")]
