"""Members of a search space that cannot be built, told at the fields of the space."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.spec.candidates import Candidate, largest, member, patterns, smallest
from efspec.spec.resolve import shape_mistakes
from efspec.spec.source_map import Loc, Mistake
from efspec.spec.space import SpaceSpec


def member_mistakes(space: SpaceSpec) -> list[Mistake]:
    """Why members are no networks, each time with the space's field to change.

    Not all are looked at: the smallest one, the largest, and small ones that have every kind of
    block at every width of its stage.
    """
    found: dict[tuple[Loc, str], Mistake] = {}
    for which, candidate in _telling(space):
        for loc, diagnostic in shape_mistakes(member(space, candidate)):
            field = _in_space(space, candidate, loc)
            told = diagnostic.replaced(message=f"in {which}: {diagnostic.message}")
            found.setdefault((field, told.name), (field, told))
    return list(found.values())


def _telling(space: SpaceSpec) -> Iterator[tuple[str, Candidate]]:
    """Members that have, between them, whatever may be wrong with one, and what to call them."""
    base = smallest(space)
    yield "the smallest member", base
    yield "the largest member", largest(space)
    for i, stage in enumerate(space.stages):
        for choice in patterns(stage):
            stages = (*base.stages[:i], choice, *base.stages[i + 1 :])
            yield f"members whose stage {i} has {choice.width} channels", Candidate(stages)


def _in_space(space: SpaceSpec, candidate: Candidate, loc: Loc) -> Loc:
    """The field of a space that a field of a member comes from."""
    match loc:
        case ("stem", "width"):
            return _in_space(space, candidate, ("stages", 0, "width"))
        case ("stages", int(i), "width"):
            return (*loc, space.stages[i].width.index(candidate.stages[i].width))
        case ("stages", int(i), "blocks", int(j), "expansion_ratio", *_):
            del j  # in these members, all blocks of a stage have one ratio
            stage, choice = space.stages[i], candidate.stages[i]
            ratio = stage.expansion_ratio.index(choice.expansion_ratio[0])
            return ("stages", i, "expansion_ratio", ratio)
        case ("stages", int(i), "blocks", int(j), *rest):
            choice = candidate.stages[i]
            has_both = 0 < choice.attention_depth < choice.depth
            is_attention = j == 1 if has_both else choice.attention_depth > 0
            return ("stages", i, "attention" if is_attention else "block", *rest)
    return loc
