"""V1's supernet: how paths are mixed, how important they are, and who keeps which."""

from __future__ import annotations

import math

import pytest
import torch

from efspec.errors import EfspecError
from efspec.spec.candidates import Candidate, StageChoice, largest, smallest
from efspec.supernet import MetaPaths, Statistics, calibrate, temperature
from efspec.supernet.layout import whole
from tests.supernet.spaces import V1, V2, filled, images, space

NEARLY = 1e-5
"""Paths with no weight add zeros; conversions leave other strides, so sums differ in 32 bits."""
CERTAIN = 1e4
"""An importance beside which the others have no weight at all."""


def prefer(net: MetaPaths, stage: int, slot: int, path: int) -> None:
    with torch.no_grad():
        net.alpha[stage][slot] = 0.0
        net.alpha[stage][slot, path] = CERTAIN


def test_a_slot_holds_what_the_stage_may_have() -> None:
    """Without attention in the first stage; one beside the other in the others."""
    net = MetaPaths(space(V1))
    names = net.state_dict().keys()
    assert [tuple(alpha.shape) for alpha in net.alpha] == [(2, 2), (3, 3), (2, 3)]
    assert "stages.0.blocks.1.mlp.fc1.conv.weight" in names
    assert "stages.2.blocks.1.block.mlp.fc1.conv.weight" in names
    assert "stages.2.blocks.1.attention.mlp.fc1.weight" in names
    assert not [n for n in names if ".bn." in n and not n.rpartition(".")[0].endswith("widest")]


@torch.no_grad()
def set_statistics(net: MetaPaths, candidate: Candidate) -> Statistics:
    """Make a member's statistics those of its paths in the mixture."""
    found = calibrate(net, candidate, [images(net.layout.space, 8)])
    for site in net.subnet(candidate).norms():
        for name in site.buffers:
            net.get_buffer(f"{site.home}.{name}").copy_(found.tensors[site.prefix + name])
    return found


@pytest.mark.parametrize("fields", [V1, V2], ids=["small_v1", "small_v2"])
@torch.no_grad()
def test_certain_attention_is_the_network_of_it(fields: dict[str, object]) -> None:
    """The mixture gives what the plain network of all slots does."""
    of = space(fields)
    net = filled(MetaPaths(of))
    candidate = whole(of, True)
    for stage, choice in enumerate(candidate.stages):
        for slot in range(choice.depth):
            prefer(net, stage, slot, path=int(net.layout.apart[stage]))
    wanted = net(images(of), candidate, set_statistics(net, candidate))
    assert torch.allclose(net(images(of)), wanted, atol=NEARLY)


@torch.no_grad()
def test_a_member_is_what_certain_paths_make() -> None:
    """Of all types, and of none."""
    of = space(V1)
    net = filled(MetaPaths(of))
    for stage, slot, path in ((0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 2), (1, 2, 1), (2, 0, 1)):
        prefer(net, stage, slot, path)
    prefer(net, 2, 1, 2)
    chosen = ((1, 0), (2, 2), (1, 1))
    stages = [
        StageChoice(choice.width, depth, attention, (2,) * depth)
        for choice, (depth, attention) in zip(largest(of).stages, chosen, strict=True)
    ]
    candidate = Candidate(tuple(stages))
    assert net.slots(candidate) == ((1,), (0, 2), (0,))
    wanted = net(images(of), candidate, set_statistics(net, candidate))
    assert torch.allclose(net(images(of)), wanted, atol=NEARLY)


def test_importances_are_ratios_of_shares() -> None:
    net = MetaPaths(space(V1))
    with torch.no_grad():
        net.alpha[0][0] = torch.tensor([1.0, -1.0])
        net.alpha[1][2] = torch.tensor([0.5, -0.5, 0.25])
    found = net.importances()
    assert found[0] == pytest.approx((math.exp(2), 1.0))
    assert found[1][2] == pytest.approx((math.exp(0.5) + math.exp(-0.5)) / math.exp(0.25))
    assert found[1][0] == pytest.approx(2.0)


def test_members_keep_the_paths_that_matter_most() -> None:
    of = space(V1)
    net = MetaPaths(of)
    assert net.slots(smallest(of)) == ((0,), (0,), (0,))
    with torch.no_grad():
        net.alpha[1][1:, 0] = torch.tensor([1.0, 2.0])
    two = Candidate((largest(of).stages[0], StageChoice(16, 2, 1, (2, 2)), largest(of).stages[2]))
    assert net.slots(two) == ((0, 1), (1, 2), (0, 1))
    homes = {site.prefix: site.home for site in net.subnet(two).sites}
    assert homes["stages.1.blocks.0.mlp.fc1.conv."] == "stages.1.blocks.1.block.mlp.fc1.conv"
    assert homes["stages.1.blocks.1.mlp.fc1."] == "stages.1.blocks.2.attention.mlp.fc1"


def test_noise_is_what_it_is_said_to_be() -> None:
    """Gumbel noise takes each path as often as its share says; that as printed does not."""
    of = space({**V1, "stages": [V1["stages"][0]]})  # type: ignore[index]  # a list
    net, draws = MetaPaths(of), 4000
    with torch.no_grad():
        net.alpha[0][0] = torch.tensor([math.log(3.0), 0.0])
    torch.manual_seed(0)
    shares = {}
    for noise in ("gumbel", "uniform", "none"):
        net.noise = noise  # type: ignore[assignment]  # one of them
        picks = [net.path_weights()[0][0].argmax().item() for _ in range(draws)]
        shares[noise] = picks.count(0) / draws
    assert shares["gumbel"] == pytest.approx(0.75, abs=0.03)
    assert shares["uniform"] == shares["none"] == 1.0  # log 3 is more than U(0, 1) can turn
    net.eval()
    assert torch.equal(net.path_weights()[0], net.path_weights()[0])


def test_the_temperature_falls_exponentially() -> None:
    assert temperature(0) == 5.0
    assert temperature(1) == pytest.approx(0.1)
    assert temperature(0.5) == pytest.approx(math.sqrt(5.0 * 0.1))
    net = MetaPaths(space(V1)).eval()
    prefer(net, 0, 0, 0)
    with torch.no_grad():
        net.alpha[0][0] = torch.tensor([1.0, 0.0])
    net.temperature = 0.5
    assert net.path_weights()[0][0, 0].item() == pytest.approx(1 / (1 + math.exp(-2)))


def test_all_paths_and_their_importances_learn() -> None:
    of = space(V1)
    net = MetaPaths(of)
    torch.manual_seed(0)
    one, other = net(images(of, 4))
    (one.square().mean() + other.square().mean()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        if name.startswith("alpha"):
            assert parameter.grad.any(dim=-1).all(), name


def test_the_random_state_decides() -> None:
    of = space(V1)
    results = []
    for _ in range(2):
        net = MetaPaths(of, seed=3)
        torch.manual_seed(7)
        results.append(net(images(of, 4))[0])
    assert torch.equal(*results)


def test_statistics_of_the_mixture_are_not_a_members() -> None:
    of = space(V1)
    net = MetaPaths(of)
    with pytest.raises(EfspecError, match="have seen no image"):
        net.eval()(images(of))
    net.train()(images(of, 4))
    net.eval()(images(of))
    with pytest.raises(EfspecError, match="of all paths, mixed"):
        net(images(of), largest(of))
