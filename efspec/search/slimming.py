"""V1's latency-driven slimming: three actions, of which each step takes the best for its time.

References:
    https://arxiv.org/abs/2206.01191, section 3.2
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import sub

from efspec.search.actions import Action, narrower, shorter
from efspec.search.evaluation import Evaluation, Evaluations
from efspec.search.joint import Outcome, Step, descend, least_loss
from efspec.spec.candidates import Candidate
from efspec.spec.space import Constraints, SpaceSpec

Importances = Sequence[Sequence[float]]
"""How important each path of each stage is: what its blocks weigh over what the identity weighs."""


def slimming(
    evaluations: Evaluations,
    importances: Importances,
    targets: Mapping[str, Constraints],
    told: Callable[[Step], None] = lambda step: None,
) -> Outcome:
    """V1's search, down to each target.

    Args:
        evaluations: The space, and what evaluates its candidates; it has to know the latency.
        importances: Of the supernet's paths; as many in each stage as it has blocks at most.
        targets: What networks are wanted, by name.
        told: Called with each step.
    """
    space = evaluations.space.space

    def choose(now: Evaluation, possible: Sequence[Action]) -> tuple[Action, Evaluation] | None:
        # The best is what loses least accuracy per millisecond that it saves: before less after.
        return least_loss(now, possible, evaluations, sub, "latency_ms")

    def possible(now: Evaluation) -> list[Action]:
        return list(slimming_actions(space, now.candidate, importances))

    return descend(evaluations, targets, possible, choose, told)


def slimming_actions(
    space: SpaceSpec, candidate: Candidate, importances: Importances
) -> list[Action]:
    """The three actions that a network can take, as far as the space has what they lead to.

    The least important path of all that are left becomes an identity: its stage is a block
    shorter. The first block with attention is taken away. The least important stage, by the sum of
    the paths that are left in it, becomes one step narrower.
    """
    left = [
        _left(own, choice.depth) for own, choice in zip(importances, candidate.stages, strict=True)
    ]
    return [
        action
        for action in (
            _drop_least(space, candidate, left),
            _drop_first_attention(space, candidate),
            _narrow_least(space, candidate, left),
        )
        if action
    ]


def _left(importances: Sequence[float], depth: int) -> list[float]:
    """The importances of the paths that are left in a stage of a depth: the largest."""
    return sorted(importances, reverse=True)[:depth]


def _drop_least(
    space: SpaceSpec, candidate: Candidate, left: Sequence[Sequence[float]]
) -> Action | None:
    for _, i in sorted((min(paths), i) for i, paths in enumerate(left)):
        choice = shorter(space.stages[i], candidate.stages[i])
        if choice:  # else all of the stage's paths have to stay
            return Action("depth", i, None, _replaced(candidate, i, choice))
    return None


def _drop_first_attention(space: SpaceSpec, candidate: Candidate) -> Action | None:
    for i, (stage, choice) in enumerate(zip(space.stages, candidate.stages, strict=True)):
        if choice.attention_depth:
            first = choice.depth - choice.attention_depth
            smaller = (choice.depth - 1, choice.attention_depth - 1)
            if smaller not in stage.depths():
                continue
            ratios = choice.expansion_ratio
            changed = choice.replaced(
                depth=smaller[0],
                attention_depth=smaller[1],
                expansion_ratio=(*ratios[:first], *ratios[first + 1 :]),
            )
            return Action("attention", i, first, _replaced(candidate, i, changed))
    return None


def _narrow_least(
    space: SpaceSpec, candidate: Candidate, left: Sequence[Sequence[float]]
) -> Action | None:
    for _, i in sorted((sum(paths), i) for i, paths in enumerate(left)):
        result = narrower(space, candidate, i)
        if result:
            return Action("width", i, None, result)
    return None


def _replaced(candidate: Candidate, i: int, choice: object) -> Candidate:
    stages = [choice if n == i else own for n, own in enumerate(candidate.stages)]
    return candidate.replaced(stages=tuple(stages))
