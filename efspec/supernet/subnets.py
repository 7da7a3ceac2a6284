"""What is made of a supernet's members: statistics of their own, and networks apart from it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from efspec.errors import fail
from efspec.pytorch.interpret import interpret
from efspec.spec.candidates import Candidate, member
from efspec.spec.schema import NetworkSpec
from efspec.supernet.supernet import State, Statistics, Supernet


@torch.no_grad()
def calibrate(supernet: Supernet, candidate: Candidate, batches: Iterable[Tensor]) -> Statistics:
    """Statistics of a member's batch norms: means over batches, with the weights as they are.

    Batch norms of the same choice stand behind other inputs in each member, and weights have moved
    on since training updated them: an evaluation that counts needs statistics of its own. The
    supernet's are left alone, and nothing is dropped.

    Args:
        supernet: The supernet, in any mode.
        candidate: The member.
        batches: Images (B, C, H, W), a few hundred in all; batches of the size used in training.

    Raises:
        EfspecError: When there is no batch.
    """
    one, state = supernet.subnet(candidate), supernet.state(candidate)
    found: State = {}
    for site in one.norms():
        for name in site.buffers:
            key = site.prefix + name
            found[key] = torch.full_like(state[key], name == "running_var")
    state |= found
    count = 0
    for images in batches:
        interpret(one.plan, state, images, mode="calibrate")
        count += 1
    if not count:
        raise fail(
            "no-batches",
            "there are no images to find statistics of batch norms on",
            expected="at least one batch of images",
        )
    return Statistics(candidate, found)


def extract(
    supernet: Supernet,
    candidate: Candidate,
    statistics: Statistics | None = None,
    name: str = "",
) -> tuple[NetworkSpec, State]:
    """A member as an ordinary spec, and its state dict, which shares nothing with the supernet.

    On a CPU, what is built from them gives bit for bit what the supernet gives in eval mode.

    Args:
        supernet: The supernet.
        candidate: The member.
        statistics: Statistics of its batch norms; without them, those that training left.
        name: Name of the network; by default that of the space.

    Raises:
        EfspecError: When there are no statistics of one of its batch norms.
    """
    state = supernet.state(candidate, statistics)
    if statistics is None:
        supernet.check_statistics(supernet.subnet(candidate), state)
    own = {
        key: tensor.detach().clone(memory_format=torch.contiguous_format)
        for key, tensor in state.items()
    }
    return member(supernet.layout.space, candidate, name), own
