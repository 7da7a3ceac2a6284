"""The sandwich rule: who is trained, and that gradients are those of the sum."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributed import destroy_process_group, init_process_group
from torch.nn import functional

from efspec.spec.candidates import largest, smallest
from efspec.supernet import Slimmable, accumulate, sandwich
from efspec.supernet.sandwich import cross_entropy
from efspec.supernet.supernet import Outputs
from tests.supernet.spaces import V2, images, space

PROCESSES = 2
REORDERED = 1e-6
"""Sums of four gradients, in another order, in 32 bits."""


def loss(outputs: Outputs) -> Tensor:
    assert isinstance(outputs, tuple)
    return sum((y.square().mean() for y in outputs), torch.zeros(()))


def test_it_picks_both_ends_and_two_between() -> None:
    of = space(V2)
    chance = random.Random(0)
    picks = [sandwich(of, chance) for _ in range(20)]
    assert {(one, two) for one, two, *_ in picks} == {(largest(of), smallest(of))}
    assert all(len(four) == 4 for four in picks)
    assert len({pick for four in picks for pick in four[2:]}) > 30
    again = random.Random(0)
    assert picks == [sandwich(of, again) for _ in range(20)]


@pytest.mark.parametrize("distil", [False, True])
def test_gradients_are_those_of_the_sum(distil: bool) -> None:
    of, x = space(V2), images(space(V2), 4)
    net, other = Slimmable(of), Slimmable(of)
    picks = sandwich(of, random.Random(0))
    losses = accumulate(net, x, picks, loss, distil=distil)

    taught, *rest = [other(x, pick) for pick in picks]
    wanted = [loss(taught), *(cross_entropy(y, taught) if distil else loss(y) for y in rest)]
    sum(wanted[1:], wanted[0]).backward()
    assert all(map(torch.equal, losses, wanted))
    for (name, one), two in zip(net.named_parameters(), other.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None), name
        if one.grad is not None and two.grad is not None:
            assert torch.allclose(one.grad, two.grad, atol=REORDERED), name
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), other.buffers(), strict=True))


def test_the_largest_teaches_head_by_head() -> None:
    """And learns nothing from it."""
    own = [torch.randn(3, 5, requires_grad=True) for _ in range(2)]
    taught = [torch.randn(3, 5, requires_grad=True) for _ in range(2)]
    found = cross_entropy(tuple(own), tuple(taught))
    wanted = [
        -(y.softmax(1) * x.log_softmax(1)).sum(1).mean() for x, y in zip(own, taught, strict=True)
    ]
    assert torch.allclose(found, sum(wanted[1:], wanted[0]) / 2)
    found.backward()
    assert all(y.grad is None for y in taught)
    single = cross_entropy(own[0], taught[0])
    assert torch.equal(single, functional.cross_entropy(own[0], taught[0].softmax(1)))


def test_backward_is_the_callers() -> None:
    of, seen = space(V2), []
    net = Slimmable(of)
    picks = sandwich(of, random.Random(0))
    accumulate(net, images(of, 4), picks, loss, backward=seen.append)
    assert len(seen) == len(picks)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_processes_share_their_gradients(tmp_path: Path) -> None:
    """Each has the mean of what both found on their own, and nothing where none was found."""
    torch.multiprocessing.spawn(_process, (str(tmp_path),), nprocs=PROCESSES)
    of = space(V2)
    picks = sandwich(of, random.Random(0))
    alone = []
    for rank in range(PROCESSES):
        net = Slimmable(of)
        accumulate(net, images(of, 4, seed=rank), picks, loss)
        alone.append(net)
    shared = [torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)]
    for name, one in alone[0].named_parameters():
        gradients = [net.get_parameter(name).grad for net in alone]
        for found in shared:
            assert (name in found) == (one.grad is not None), name
            if name in found:
                mean = sum(g for g in gradients if g is not None) / PROCESSES
                assert torch.allclose(found[name], mean, atol=REORDERED), name


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    init_process_group("gloo", f"file://{folder}/group", rank=rank, world_size=PROCESSES)
    of = space(V2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what later releases call options
        net = nn.parallel.DistributedDataParallel(Slimmable(of), find_unused_parameters=True)
    accumulate(net, images(of, 4, seed=rank), sandwich(of, random.Random(0)), loss)
    found = {n: p.grad for n, p in net.module.named_parameters() if p.grad is not None}
    torch.save(found, f"{folder}/{rank}.pt")
    destroy_process_group()
