"""V2's joint search of size and speed: from the largest network, one action after the other.

Each step evaluates every action that the network can take, and takes the one that loses the least
accuracy for the Mobile Efficiency Score (MES) that it gains.

References:
    https://arxiv.org/abs/2212.08059, algorithm 1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from efspec.record import Record
from efspec.search.actions import Action, actions
from efspec.search.evaluation import BudgetError, Evaluation, Evaluations, keeps_to
from efspec.spec.candidates import largest
from efspec.spec.space import Constraints


class Step(Record):
    """A step of a search.

    Attributes:
        number: Which step, from 1 on.
        action: What was done.
        before: The network before.
        after: The network after.
        tried: How many actions were evaluated.
    """

    number: int
    action: Action
    before: Evaluation
    after: Evaluation
    tried: int


class Outcome(Record):
    """What a search has found.

    Attributes:
        start: Where it began.
        steps: Its steps, in order.
        targets: The first network on its path that keeps to each target, by the target's name.
        missed: Targets that no network on the path keeps to.
        ended: Why it ended: `targets`, when all were met; `actions`, when there were none left;
            `budget`, when evaluations were.
    """

    start: Evaluation
    steps: tuple[Step, ...]
    targets: dict[str, Evaluation]
    missed: tuple[str, ...]
    ended: str


Choose = Callable[[Evaluation, Sequence[Action]], tuple[Action, Evaluation] | None]
"""What takes one of several actions, evaluating them; None where none gains anything."""


def joint(
    evaluations: Evaluations,
    targets: Mapping[str, Constraints],
    told: Callable[[Step], None] = lambda step: None,
) -> Outcome:
    """V2's search, down to each target.

    Args:
        evaluations: The space, and what evaluates its candidates; it has to know the MES.
        targets: What networks are wanted, by name.
        told: Called with each step.
    """
    space = evaluations.space.space

    def choose(now: Evaluation, possible: Sequence[Action]) -> tuple[Action, Evaluation] | None:
        return least_loss(now, possible, evaluations, lambda before, after: after - before, "mes")

    return descend(
        evaluations, targets, lambda one: list(actions(space, one.candidate)), choose, told
    )


def descend(
    evaluations: Evaluations,
    targets: Mapping[str, Constraints],
    possible: Callable[[Evaluation], Sequence[Action]],
    choose: Choose,
    told: Callable[[Step], None],
) -> Outcome:
    """Take one action after the other, from the largest network on, until all targets are met."""
    now = start = evaluations.of(largest(evaluations.space.space))
    steps: list[Step] = []
    met: dict[str, Evaluation] = {}
    ended = "targets"
    while True:
        met |= {
            name: now
            for name, wanted in targets.items()
            if name not in met and keeps_to(now.figures, wanted)
        }
        if targets and len(met) == len(targets):
            break
        try:
            tried = possible(now)
            chosen = choose(now, tried)
        except BudgetError:
            ended = "budget"
            break
        if chosen is None:
            ended = "actions"
            break
        action, after = chosen
        steps.append(Step(len(steps) + 1, action, now, after, len(tried)))
        told(steps[-1])
        now = after
    missed = tuple(name for name in targets if name not in met)
    return Outcome(start, tuple(steps), met, missed, ended)


def least_loss(
    now: Evaluation,
    possible: Sequence[Action],
    evaluations: Evaluations,
    gain: Callable[[float, float], float],
    metric: str,
) -> tuple[Action, Evaluation] | None:
    """The action that loses the least accuracy for what it gains.

    Actions that gain nothing are not evaluated. Those that lose no accuracy come first, that with
    the largest gain before all; of equal ones, the first in the network.

    Args:
        now: The network now.
        possible: The actions.
        evaluations: What evaluates them.
        gain: What is gained, from the metric before and after.
        metric: What the gain is in.

    Raises:
        BudgetError: When there are too few evaluations left for all of them.
    """
    figures = evaluations.figures([action.result for action in possible])
    gains = [gain(now.figures[metric], after[metric]) for after in figures]
    tried = [pair for pair in zip(possible, gains, strict=True) if pair[1] > 0]
    found = evaluations.all([action.result for action, _ in tried])
    ranked = [
        (rank(now.accuracy - after.accuracy, gained), i)
        for i, ((_, gained), after) in enumerate(zip(tried, found, strict=True))
    ]
    if not ranked:
        return None
    _, best = min(ranked)
    return tried[best][0], found[best]


def rank(lost: float, gained: float) -> tuple[bool, float]:
    """What actions are ordered by, the best first."""
    return (True, lost / gained) if lost > 0 else (False, -gained)
