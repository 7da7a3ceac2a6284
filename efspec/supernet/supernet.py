"""What supernets have in common: tensors, of which each member of a space is slices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from efspec.errors import EfspecError, fail
from efspec.pytorch.interpret import interpret
from efspec.record import Record
from efspec.spec.candidates import Candidate
from efspec.supernet.layout import Layout, Site, Slots, Subnet, subnet
from efspec.supernet.tensors import grow, initial_tensors, leading

State = dict[str, Tensor]
Outputs = Tensor | tuple[Tensor, ...]
"""What a network gives: a tuple where there are several results, as built modules have it."""


class Statistics(Record):
    """Statistics of a member's batch norms, as `calibrate` finds them.

    Attributes:
        candidate: The member.
        tensors: Means, variances and counts of batches, by their names in its state dict.
    """

    candidate: Candidate
    tensors: State


class Supernet(nn.Module):
    """Base of supernets.

    In training mode a member normalises by the batch at hand; in eval mode by statistics, which
    have to be there.

    Attributes:
        layout: Where its tensors are.
    """

    def __init__(self, layout: Layout, seed: int) -> None:
        super().__init__()
        self.layout = layout
        for name, tensor in initial_tensors(layout, seed).items():
            grow(self, name, tensor)

    @abstractmethod
    def slots(self, candidate: Candidate) -> Slots:
        """Where a member's blocks are."""

    def subnet(self, candidate: Candidate) -> Subnet:
        """A member, and where its tensors are."""
        return subnet(self.layout, candidate, self.slots(candidate))

    def state(self, candidate: Candidate, statistics: Statistics | None = None) -> State:
        """A member's state dict: slices of the supernet's tensors, which share their memory.

        Args:
            candidate: The member.
            statistics: What takes the place of its running statistics.

        Raises:
            ValueError: When the statistics are of another member.
        """
        state = self.slices(self.subnet(candidate).sites)
        if statistics is None:
            return state
        if statistics.candidate != candidate:
            raise ValueError(f"statistics of {statistics.candidate} for {candidate}")
        return state | statistics.tensors

    def slices(self, sites: Sequence[Site]) -> State:
        """The tensors of some ops, by their names in the state dict of their network."""
        state: State = {}
        for site in sites:
            module = reduce(getattr, site.home.split("."), self)
            for name, shape in (*site.parameters.items(), *site.buffers.items()):
                state[site.prefix + name] = leading(getattr(module, name), shape)
        return state

    def forward(
        self, images: Tensor, candidate: Candidate, statistics: Statistics | None = None
    ) -> Outputs:
        """What a member gives for images (B, C, H, W) of the space's input size.

        Args:
            images: The images.
            candidate: The member.
            statistics: Statistics of its batch norms in eval mode; without them, those that
                training left.

        Raises:
            EfspecError: In eval mode, when there are no statistics of one of its batch norms.
        """
        one = self.subnet(candidate)
        if self.training:
            return as_outputs(interpret(one.plan, self.state(candidate), images, mode="train"))
        state = self.state(candidate, statistics)
        if statistics is None:
            self.check_statistics(one, state)
        return as_outputs(interpret(one.plan, state, images))

    def check_statistics(self, one: Subnet, state: State) -> None:
        """Refuse a member's running statistics if they are none, or those of another network.

        Args:
            one: The member.
            state: Its state dict.

        Raises:
            EfspecError: When one of its batch norms has none.
        """
        check_seen(one.sites, state)


def as_outputs(results: tuple[Tensor, ...]) -> Outputs:
    """Results as modules give them: one alone is not in a tuple."""
    return results if len(results) > 1 else results[0]


def check_seen(sites: Sequence[Site], state: State) -> None:
    """Refuse batch norms that have never been run.

    Args:
        sites: Ops of a network, batch norms among them.
        state: Its state dict.

    Raises:
        EfspecError: When there is one.
    """
    norms = [site for site in sites if site.buffers]
    counts = torch.stack([state[f"{site.prefix}num_batches_tracked"] for site in norms]).tolist()
    unseen = [site.home for site, count in zip(norms, counts, strict=True) if not count]
    if unseen:
        some = f"{len(unseen)} of {len(norms)} batch norms have seen no image"
        raise missing_statistics(f"{some}, such as {unseen[0]}")


def missing_statistics(message: str) -> EfspecError:
    """The error of a network that batch norms have no statistics for."""
    return fail(
        "no-statistics",
        message,
        expected="statistics of this very network",
        fix="give those that `calibrate` finds",
    )
