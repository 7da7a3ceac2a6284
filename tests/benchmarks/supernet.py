"""A step of a supernet against what its forward and backward passes cost as plain modules.

Each step takes the largest member, the smallest and two random ones, on a batch of 64 and on one
CPU thread. The modules are of the same sizes and with the same weights, and are built beforehand.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional

import efspec
from efspec.spec.candidates import Candidate, member
from efspec.spec.spaces import read_space
from efspec.supernet import Slimmable, accumulate, sandwich
from efspec.supernet.supernet import Outputs

BATCH, ROUNDS = 64, 15
SIZES = {"digits": 32, "v2": 64}
"""Space, and the input size at which it is run: at 224 a batch of V2's takes minutes here."""


def loss_on(labels: Tensor) -> Callable[[Outputs], Tensor]:
    """The cross-entropy of all heads to the labels."""

    def loss(outputs: Outputs) -> Tensor:
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        losses = [functional.cross_entropy(head, labels) for head in heads]
        return sum(losses[1:], losses[0])

    return loss


def plain(net: Slimmable, candidate: Candidate) -> nn.Module:
    """A module of a member, with the supernet's weights."""
    module = efspec.build(member(net.layout.space, candidate))
    module.load_state_dict(net.state(candidate))
    return module


def passes(modules: list[nn.Module], images: Tensor, loss: Callable[[Outputs], Tensor]) -> Tensor:
    """The losses of some modules, whose gradients take the place of earlier ones."""
    losses = []
    for module in modules:
        module.zero_grad()
        one = loss(module(images))
        one.backward()
        losses.append(one.detach())
    return torch.stack(losses)


def step(
    net: Slimmable, picks: tuple[Candidate, ...], images: Tensor, loss: Callable[[Outputs], Tensor]
) -> Tensor:
    """The losses of some members, whose gradients are summed."""
    net.zero_grad()
    return torch.stack(accumulate(net, images, picks, loss))


def seconds(side: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


def compare(name: str, rounds: int) -> None:
    """Run both sides in turn, and print medians and the ratio."""
    space = read_space(name)
    space = space.model_copy(update={"input": space.input.model_copy(update={"size": SIZES[name]})})
    net, chance = Slimmable(space), random.Random(0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, space.input.channels, SIZES[name], SIZES[name], generator=generator)
    loss = loss_on(torch.randint(10, (BATCH,), generator=generator))

    times = []
    for number in range(rounds + 1):
        picks = sandwich(space, chance)
        modules = [plain(net, candidate) for candidate in picks]
        if number == 0:  # which also warms both sides up
            same = torch.equal(passes(modules, images, loss), step(net, picks, images, loss))
            assert same, "they compute different things"
            continue
        sides = {
            "plain": lambda m=modules: passes(m, images, loss),
            "net": lambda p=picks: step(net, p, images, loss),
        }
        order = sorted(sides, reverse=number % 2 == 0)
        found = {side: seconds(sides[side]) for side in order}
        times.append((found["plain"], found["net"]))
    modules_s, net_s = (median(column) for column in zip(*times, strict=True))
    ratio = median(a / b for a, b in times)
    print(
        f"{name:6} at {SIZES[name]} px: supernet {4 * BATCH / net_s:7.1f} images/s, modules "
        f"{4 * BATCH / modules_s:7.1f} images/s, supernet / modules {ratio:.3f}"
    )


def main() -> None:
    """Run, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("spaces", nargs="*", default=list(SIZES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.spaces:
        compare(name, options.rounds)


if __name__ == "__main__":
    main()
