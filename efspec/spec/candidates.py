"""The members of a search space: what is chosen, and the spec that it makes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, product

from efspec.blocks.options import BlockSpec, Part, counted
from efspec.errors import Diagnostic, EfspecError
from efspec.plan import parts
from efspec.plan.key import BlockKey, block_key
from efspec.record import Record
from efspec.spec.alike import Options, difference, has_ratios, kind_meant, meant
from efspec.spec.dump import flow
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec, StageSpec
from efspec.spec.source_map import Loc, field_text
from efspec.spec.space import SpaceSpec, StageSpace

Outside = tuple[Loc, str, str]
"""A field of a network outside of a space: what it is there, and what the space has."""


class StageChoice(Record):
    """What is chosen of a stage.

    Attributes:
        width: Channels.
        depth: How many blocks.
        attention_depth: How many of them, the last ones, have attention.
        expansion_ratio: Ratio of each block, in order.
    """

    width: int
    depth: int
    attention_depth: int
    expansion_ratio: tuple[float, ...]


class Candidate(Record):
    """A member of a space.

    Attributes:
        stages: What is chosen of each stage.
    """

    stages: tuple[StageChoice, ...]


def member(space: SpaceSpec, candidate: Candidate, name: str = "") -> NetworkSpec:
    """The spec of a candidate, which is an ordinary one.

    Args:
        space: The space.
        candidate: What is chosen.
        name: Name of the network; by default that of the space.
    """
    stages = [
        StageSpec(
            width=choice.width,
            downsample=stage.downsample,
            blocks=tuple(_entries(stage, choice)),
        )
        for stage, choice in zip(space.stages, candidate.stages, strict=True)
    ]
    return NetworkSpec(
        efspec=space.efspec,
        name=name or space.name,
        description=f"A member of the space {space.name}",
        input=space.input,
        defaults=space.defaults,
        stem=space.stem.model_copy(update={"width": candidate.stages[0].width}),
        stages=tuple(stages),
        head=space.head,
    )


def _entries(stage: StageSpace, choice: StageChoice) -> Iterator[BlockSpec]:
    first = choice.depth - choice.attention_depth
    for block, ratios in (
        (stage.block, choice.expansion_ratio[:first]),
        (stage.attention, choice.expansion_ratio[first:]),
    ):
        if block is not None and ratios:
            # As people write it: one number where all are the same.
            one = ratios[0] if len(set(ratios)) == 1 else ratios
            own = {"expansion_ratio": one} if has_ratios(block) else {}
            yield block.model_copy(update={"repeat": len(ratios), **own})


def candidate_of(space: SpaceSpec, spec: NetworkSpec) -> Candidate:
    """What a space's choices are for a network that is a member of it.

    Names, descriptions and drop path do not matter: they change no network that is deployed.

    Raises:
        EfspecError: When it is no member; holds everything about it that is outside.
    """
    stem = space.stem.model_copy(update={"width": spec.stem.width})
    outside = [
        *_differing(("input",), _both(spec.input, spec, space.input, space)),
        *_differing(("stem",), _both(spec.stem, spec, stem, space)),
        *_differing(("head",), _both(spec.head, spec, space.head, space)),
    ]
    if len(spec.stages) != len(space.stages):
        message, count = (counted(len(of.stages), "stage") for of in (spec, space))
        outside.append((("stages",), message, count))
    choices = [
        _choice(space, spec, i, outside) for i in range(min(len(spec.stages), len(space.stages)))
    ]
    if outside:
        where = spec.source_map
        raise EfspecError(
            Diagnostic(
                "outside-space",
                message,
                field=field_text(loc),
                expected=expected,
                **(where.place(loc) if where else {"file": spec.name}),
            )
            for loc, message, expected in outside
        )
    return Candidate(tuple(choices))


def _choice(space: SpaceSpec, spec: NetworkSpec, i: int, outside: list[Outside]) -> StageChoice:
    open_, stage = space.stages[i], spec.stages[i]
    if stage.width not in open_.width:
        message = f"{stage.width} is none of its widths"
        outside.append((("stages", i, "width"), message, _either(open_.width)))
    both = _both(stage.downsample, spec, open_.downsample, space)
    outside += _differing(("stages", i, "downsample"), both)
    kinds = [kind_meant(b, space.defaults) for b in (open_.block, open_.attention) if b]
    ratios: list[float] = []
    attention, known = 0, True
    for j, entry in enumerate(stage.blocks):
        loc: Loc = ("stages", i, "blocks", j)
        own = kind_meant(entry, spec.defaults)
        if own == kinds[-1] and open_.attention:
            attention += entry.repeat
        elif own == kinds[0] and attention:
            outside.append((loc, "it is behind a block with attention", "one before all of these"))
        elif own != kinds[0]:
            near = next((kind for kind in kinds if kind["type"] == entry.type), kinds[0])
            outside += _differing(loc, (own, near))
            known = False
        given = vars(entry)["expansion_ratio"] if has_ratios(entry) else open_.expansion_ratio[0]
        own_ratios = given if isinstance(given, tuple) else (given,) * entry.repeat
        if not set(own_ratios) <= set(open_.expansion_ratio):
            message = "there is another ratio than the space's"
            expected = _either(open_.expansion_ratio)
            outside.append(((*loc, "expansion_ratio"), message, expected))
        ratios += own_ratios
    if known and (len(ratios), attention) not in open_.depths():
        message = f"{len(ratios)} blocks, {attention} of them with attention"
        expected = f"{_either(open_.depth)} blocks, {_either(open_.attention_depth)} with attention"
        outside.append((("stages", i, "blocks"), message, expected))
    return StageChoice(stage.width, len(ratios), attention, tuple(ratios))


def _both(
    own: Part | None, spec: NetworkSpec, wanted: Part | None, space: SpaceSpec
) -> tuple[Options, Options]:
    """What a part of a network means, and what the space's does."""
    return meant(own, spec.defaults), meant(wanted, space.defaults)


def _differing(loc: Loc, both: tuple[Options, Options]) -> list[Outside]:
    """What of a part is outside of a space, if anything is."""
    own, wanted = (flow(options) if options else "none" for options in difference(*both))
    return [(loc, f"it is {own}", wanted)] if both[0] != both[1] else []


def _either(values: Sequence[float]) -> str:
    """`1, 2 or 3`."""
    *first, last = [f"{value:g}" for value in values]
    return f"{', '.join(first)} or {last}" if first else last


def size(space: SpaceSpec) -> int:
    """How many members a space has."""
    count = 1
    for stage in space.stages:
        ratios = len(stage.expansion_ratio)
        count *= sum(ratios**depth for depth, _ in stage.depths())
        count *= len(stage.width)
    return count


def largest(space: SpaceSpec) -> Candidate:
    """The member with most of everything."""
    return _extreme(space, -1)


def smallest(space: SpaceSpec) -> Candidate:
    """The member with least of everything."""
    return _extreme(space, 0)


def _extreme(space: SpaceSpec, end: int) -> Candidate:
    stages = []
    for stage in space.stages:
        depth, attention = stage.depths()[end]
        ratios = (stage.expansion_ratio[end],) * depth
        stages.append(StageChoice(stage.width[end], depth, attention, ratios))
    return Candidate(tuple(stages))


def sample(space: SpaceSpec, chance: random.Random) -> Candidate:
    """A random member: each width, depth and ratio of its own is equally likely.

    Members are not: there are far more of the deep ones, and they would hide all others.
    """
    stages: list[StageChoice] = []
    for stage in space.stages:
        width = chance.choice(stage.width)
        depth = chance.choice(sorted({n for n, _ in stage.depths()}))
        attention = chance.choice([m for n, m in stage.depths() if n == depth])
        ratios = tuple(chance.choice(stage.expansion_ratio) for _ in range(depth))
        stages.append(StageChoice(width, depth, attention, ratios))
    return Candidate(tuple(stages))


def part_specs(space: SpaceSpec) -> list[NetworkSpec]:
    """A few members that have, between them, every part that any member has.

    What a part is to a device follows from its stage: from the widths of the stage and of the one
    before, from its ratio, and from where attention begins in both. All of these are tried, and
    what has a part that none before had is kept.
    """
    kept: list[NetworkSpec] = []
    seen: set[BlockKey] = set()
    for candidate in _covering(space):
        spec = member(space, candidate, f"{space.name}_{len(kept)}")
        plan = resolve(spec)
        keys = {block_key(plan, part) for part in parts(plan)}
        if not keys <= seen:
            seen |= keys
            kept.append(spec)
    return kept


def _covering(space: SpaceSpec) -> Iterator[Candidate]:
    """Members with every block that there may be, and every pair of neighbouring stages.

    What leads from one stage to the next depends on both, but on the ratios of neither.
    """
    base = smallest(space).stages
    for i, stage in enumerate(space.stages):
        pairs = product(*map(patterns, space.stages[max(i - 1, 0) : i + 1]))
        others = product(patterns(stage), stage.expansion_ratio[1:])
        blocks = ((p.replaced(expansion_ratio=(ratio,) * p.depth),) for p, ratio in others)
        for chosen in chain(pairs, blocks):
            yield Candidate((*base[: i + 1 - len(chosen)], *chosen, *base[i + 1 :]))


def patterns(stage: StageSpace) -> Iterator[StageChoice]:
    """Choices of a stage with its least ratio: attention begins nowhere, somewhere and at once."""
    kinds = {(m > 0, m < n): (n, m) for n, m in stage.depths()}  # the deepest of each
    for width, (depth, attention) in product(stage.width, kinds.values()):
        yield StageChoice(width, depth, attention, stage.expansion_ratio[:1] * depth)
