"""Where the tensors of a space's members are kept in its supernet.

A supernet holds one slot for every block that a stage may have, as wide as the space allows. A
member's tensor is a leading slice of the supernet's tensor of the same name, where the number of a
block is that of its slot. Only two kinds of names differ:

- Batch norms have the choice in their name that they belong to: `stages.0.blocks.1.mlp.fc1.bn` is
  kept as `stages.0.blocks.1.mlp.fc1.bn.32_96` for the convolution of 32 to 96 channels before it,
  or as `...bn.widest` where there is one for all choices.
- Where a stage may have attention, and its blocks without are not part of those with, a slot holds
  both: `stages.3.blocks.1.block.mlp.fc1.conv` and `stages.3.blocks.1.attention.mlp.fc1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product

from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import BatchNorm2d, Conv2d
from efspec.record import Node, Record
from efspec.spec.candidates import Candidate, StageChoice, member
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec
from efspec.spec.space import SpaceSpec

MAX_KEPT = 1024
"""How many subnets are kept: searches come back to those that they have seen."""
WIDEST = "widest"

Slots = tuple[tuple[int, ...], ...]
"""For each stage, the slot of each of a member's blocks, in rising order."""

_BLOCK = re.compile(r"stages\.(\d+)\.blocks\.(\d+)\.")


class Layout(Record):
    """How a supernet keeps its tensors.

    Attributes:
        space: The space whose members they are of.
        apart: Of each stage, whether its slots hold both types of block, one beside the other.
        separate: Whether batch norms are separate for each choice of channels, or one for all.
    """

    space: SpaceSpec
    apart: tuple[bool, ...]
    separate: bool


class Site(Record):
    """An op of a member that holds tensors.

    Attributes:
        prefix: What their names in the member's state dict start with.
        home: Path of the module that holds them in the supernet.
        parameters: Shapes of those that are trained, by name.
        buffers: Shapes of the others, by name.
    """

    prefix: str
    home: str
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]


class Subnet(Node):
    """A member, and where its tensors are.

    Attributes:
        spec: Its spec.
        plan: Its plan.
        sites: Its ops that hold tensors.
    """

    spec: NetworkSpec
    plan: Plan
    sites: tuple[Site, ...]

    def norms(self) -> tuple[Site, ...]:
        """Its batch norms: what has buffers."""
        return tuple(site for site in self.sites if site.buffers)

    def in_slots(self) -> tuple[Site, ...]:
        """What its blocks hold."""
        return tuple(site for site in self.sites if _BLOCK.match(site.prefix))


@lru_cache(maxsize=MAX_KEPT)
def subnet(layout: Layout, candidate: Candidate, slots: Slots) -> Subnet:
    """A member in a supernet.

    Args:
        layout: The supernet's.
        candidate: The member.
        slots: Where its blocks are.
    """
    spec = member(layout.space, candidate)
    plan = resolve(spec)
    made_by = {number: placed for placed in plan.ops() for number in placed.outputs}
    sites: list[Site] = []
    for placed in plan.ops():
        if parameters := placed.op.parameters():
            home = _home(layout, candidate, slots, placed.prefix)
            if isinstance(placed.op, BatchNorm2d):
                before = made_by.get(placed.inputs[0])
                home += _choice(placed.op, before) if layout.separate else WIDEST
            home = home.removesuffix(".")
            sites.append(Site(placed.prefix, home, parameters, placed.op.buffers()))
    return Subnet(spec, plan, tuple(sites))


def _home(layout: Layout, candidate: Candidate, slots: Slots, prefix: str) -> str:
    found = _BLOCK.match(prefix)
    if found is None:
        return prefix
    stage, block = int(found[1]), int(found[2])
    kind = ""
    if layout.apart[stage]:
        chosen = candidate.stages[stage]
        kind = "block." if block < chosen.depth - chosen.attention_depth else "attention."
    return f"stages.{stage}.blocks.{slots[stage][block]}.{kind}{prefix[found.end() :]}"


def _choice(norm: BatchNorm2d, before: PlacedOp | None) -> str:
    """Channels in and out of the convolution before a batch norm; else those of the norm."""
    if before is not None and isinstance(before.op, Conv2d):
        return f"{before.op.in_channels}_{before.op.out_channels}"
    return f"{norm.num_features}_{norm.num_features}"


def full_slots(candidate: Candidate) -> Slots:
    """The first slots of each stage."""
    return tuple(tuple(range(choice.depth)) for choice in candidate.stages)


def whole(space: SpaceSpec, attention: bool) -> Candidate:
    """Every slot of a space at its widest.

    It need not be a member of the space, which says how many blocks may have attention.

    Args:
        space: The space.
        attention: Whether all slots that may have attention have it, or none.
    """
    return Candidate(
        tuple(
            StageChoice(
                width=stage.width[-1],
                depth=stage.depth[-1],
                attention_depth=stage.depth[-1] if attention and stage.attention else 0,
                expansion_ratio=(stage.expansion_ratio[-1],) * stage.depth[-1],
            )
            for stage in space.stages
        )
    )


def with_every_choice(space: SpaceSpec, attention: bool) -> Iterator[Candidate]:
    """Networks that have, between them, every choice of channels in every slot.

    Channels depend on the widths of a stage and of the one before, and on a ratio. As of `whole`,
    they need not be members.
    """
    full = whole(space, attention).stages
    base = [
        choice.replaced(
            depth=1,
            attention_depth=min(1, choice.attention_depth),
            expansion_ratio=choice.expansion_ratio[:1],
        )
        for choice in full
    ]
    for i, stage in enumerate(space.stages):
        before = space.stages[i - 1].width if i else (0,)
        for first, width, ratio in product(before, stage.width, stage.expansion_ratio):
            chosen = list(base)
            if i:
                chosen[i - 1] = base[i - 1].replaced(width=first)
            ratios = (ratio,) * full[i].depth
            chosen[i] = full[i].replaced(width=width, expansion_ratio=ratios)
            yield Candidate(tuple(chosen))


def types_apart(space: SpaceSpec) -> tuple[bool, ...]:
    """Of each stage, whether blocks without attention hold what blocks with it do not.

    A V2 block is the feed-forward part of one with attention; one of V1 is nothing of the kind.
    """
    without, with_ = (
        resolve(member(space, whole(space, kind))).parameters() for kind in (False, True)
    )
    apart = {
        int(found[1])
        for key, shape in without.items()
        if (found := _BLOCK.match(key)) and with_.get(key) != shape
    }
    return tuple(i in apart for i in range(len(space.stages)))
