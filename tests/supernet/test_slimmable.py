"""V2's supernet: what is shared between members, and what is not."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

import efspec
from efspec.errors import EfspecError
from efspec.spec.candidates import Candidate, largest, member, smallest
from efspec.spec.space import SpaceSpec
from efspec.supernet import Slimmable, calibrate
from tests.supernet.spaces import V1, V2, at_size, candidates, filled, images, space, stages


@pytest.fixture(scope="module")
def net() -> Slimmable:
    return filled(Slimmable(space(V2)))


def resized(candidate: Candidate, stage: int, **changes: object) -> Candidate:
    stages = list(candidate.stages)
    stages[stage] = stages[stage].replaced(**changes)
    return Candidate(tuple(stages))


@pytest.mark.parametrize("of", [space(V2), space(V1), at_size("v2", 32)], ids=lambda s: s.name)
def test_a_members_state_is_that_of_its_plan(of: SpaceSpec) -> None:
    net = Slimmable(of)
    for candidate in candidates(of, 20):
        plan = efspec.resolve(member(of, candidate))
        shapes = {key: tuple(t.shape) for key, t in net.state(candidate).items()}
        assert shapes == {**plan.parameters(), **plan.buffers()}


def test_its_blocks_are_attention_and_the_feed_forward_part(net: Slimmable) -> None:
    """In every slot of the last two stages, and in no other."""
    names = net.state_dict().keys()
    depths = [stage.depth[-1] for stage in net.layout.space.stages]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            path = f"stages.{stage}.blocks.{block}"
            assert (f"{path}.token_mixer.q.conv.weight" in names) == (stage > 0)
            assert f"{path}.mlp.fc1.conv.weight" in names
        assert f"stages.{stage}.blocks.{depth}.mlp.fc1.conv.weight" not in names


def test_a_member_takes_leading_slices(net: Slimmable) -> None:
    of = net.layout.space
    for candidate in candidates(of, 10):
        for key, part in net.state(candidate).items():
            if ".bn." in key or key.startswith("norm."):
                continue
            whole = net.get_parameter(key)
            assert torch.equal(part, whole[tuple(slice(n) for n in part.shape)]), key
            assert part.data_ptr() == whole.data_ptr(), key


def test_a_block_without_attention_is_one_with_it_less_that(net: Slimmable) -> None:
    """The same slot, the same weights: the last blocks have attention."""
    deep = largest(net.layout.space)
    with_, without = net.state(deep), net.state(resized(deep, 1, attention_depth=1))
    path = "stages.1.blocks.1."
    assert f"{path}token_mixer.q.conv.weight" in with_.keys() - without.keys()
    for key in without:
        if key.startswith(path):
            assert with_[key].data_ptr() == without[key].data_ptr(), key


def test_batch_norms_are_separate_for_each_pair_of_channels(net: Slimmable) -> None:
    """Of the convolution before them, and shared by all members that have the pair."""
    homes: dict[tuple[str, int, int], set[int]] = {}
    for candidate in candidates(net.layout.space, 40):
        plan, state = net.subnet(candidate).plan, net.state(candidate)
        for key, shape in plan.parameters().items():
            if key.endswith(".conv.weight") and (norm := key.replace(".conv.w", ".bn.w")) in state:
                groups = shape[0] if shape[1] == 1 and shape[2] > 1 else 1
                choice = (norm, shape[1] * groups, shape[0])
                homes.setdefault(choice, set()).add(state[norm].data_ptr())
    assert all(len(found) == 1 for found in homes.values())
    assert len(set().union(*homes.values())) == len(homes)
    sites = {norm for norm, _, _ in homes}
    assert len(homes) > 2 * len(sites)


def test_every_choice_is_there_from_the_start() -> None:
    """No member lacks a batch norm, and none is there for nothing."""
    of = space({**V2, "stages": [{**stage, "depth": [3]} for stage in stages(V2)]})
    net = Slimmable(of)
    used = {
        f"{site.home}.{name}"
        for candidate in candidates(of, 400)
        for site in net.subnet(candidate).sites
        for name in (*site.parameters, *site.buffers)
    }
    # Of three blocks, two have attention at most.
    first = re.compile(r"stages\.[12]\.blocks\.0\.(token_mixer|ls1)\.")
    assert all(map(first.match, net.state_dict().keys() - used))


def gradients(net: Slimmable, candidate: Candidate, x: Tensor) -> dict[str, Tensor | None]:
    net.zero_grad()
    net.train()
    one, other = net(x, candidate)
    (one.square().mean() + other.square().mean()).backward()
    net.eval()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def test_gradients_flow_into_slices_that_are_used() -> None:
    of = space(V2)
    net = filled(Slimmable(of))
    for candidate in candidates(of, 5):
        found = gradients(net, candidate, images(of, 4))
        used = {
            f"{site.home}.{name}": shape
            for site in net.subnet(candidate).sites
            for name, shape in site.parameters.items()
        }
        for name, gradient in found.items():
            if name not in used:
                assert gradient is None, name
                continue
            assert gradient is not None, name
            outside = gradient.clone()
            outside[tuple(slice(n) for n in used[name])] = 0
            assert not outside.any(), name
            if not name.endswith("bias"):  # those before a batch norm change nothing
                assert gradient.any(), name


@torch.no_grad()
def test_what_is_not_used_changes_nothing(net: Slimmable) -> None:
    """And what is used does: each tensor in turn, inside of its slice."""
    of = net.layout.space
    candidate, x = smallest(of), images(of)
    wanted = net(x, candidate)
    shift = re.compile(r"\.(k|talking_head1)\b.*\.bias$")
    sites = net.subnet(candidate).sites
    used = {f"{s.home}.{n}": shape for s in sites for n, shape in s.parameters.items()}
    kept = {name: parameter.clone() for name, parameter in net.named_parameters()}
    inside = {name: tuple(slice(n) for n in used.get(name, (0,))) for name in kept}
    for name, parameter in net.named_parameters():
        parameter.add_(1.0)
        parameter[inside[name]] = kept[name][inside[name]]
    assert torch.equal(net(x, candidate), wanted)
    for name, parameter in net.named_parameters():
        parameter.copy_(kept[name])
        # A number that is added to all scores of a query leaves its softmax as it was.
        if name in used and not shift.search(name):
            own = parameter[inside[name]]
            parameter[inside[name]] += torch.linspace(1, 2, own.numel()).view_as(own)
            assert not torch.equal(net(x, candidate), wanted), name
        parameter.copy_(kept[name])


def test_training_moves_statistics_of_what_was_run() -> None:
    of = space(V2)
    net = Slimmable(of)
    candidate = smallest(of)
    net(images(of, 4), candidate)
    homes = {site.home for site in net.subnet(candidate).norms()}
    for name, buffer in net.named_buffers():
        if name.endswith("num_batches_tracked"):
            assert buffer.item() == (name.rpartition(".")[0] in homes), name


def test_statistics_that_nobody_has_found_are_not_used() -> None:
    of = space(V2)
    net = Slimmable(of)
    net(images(of, 4), smallest(of))
    net.eval()
    net(images(of), smallest(of))
    with pytest.raises(EfspecError, match=r"error\[no-statistics\]: \d+ of \d+ batch norms"):
        net(images(of), largest(of))
    assert isinstance(
        net(images(of), largest(of), calibrate(net, largest(of), [images(of)])), Tensor
    )


def test_statistics_are_of_one_member(net: Slimmable) -> None:
    of = net.layout.space
    statistics = calibrate(net, smallest(of), [images(of)])
    with pytest.raises(ValueError, match="statistics of"):
        net(images(of), largest(of), statistics)


def test_the_seed_decides() -> None:
    of = space(V2)
    one, same, other = (Slimmable(of, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_initial_weights_are_those_of_the_build() -> None:
    """A supernet of one network is that network."""
    fixed = {"width": [8], "depth": [2], "block": {"type": "ffn"}, "expansion_ratio": [2]}
    of = space({**V2, "stages": [fixed]})
    net, only = Slimmable(of, seed=5), largest(of)
    module = efspec.build(member(of, only), seed=5)
    state = net.state(only)
    for key, tensor in module.state_dict().items():
        assert torch.equal(state[key], tensor), key


def test_blocks_are_dropped_in_training_only() -> None:
    """At the space's rate, over the member's own depth: the first block never is."""
    of = space({**V2, "defaults": {"layer_scale": 0.5, "drop_path": {"linear": 0.9}}})
    net, x = filled(Slimmable(of)), images(of, 4)
    wanted = net(x, largest(of))
    assert torch.equal(net(x, largest(of)), wanted)
    net.train()
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(net(x, largest(of))[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
