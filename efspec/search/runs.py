"""A search: what is asked, what is found, and both as JSON holds them.

A search asks for the same evaluations in the same order each time. So one that was stopped at any
moment is begun again, with what was found before, and ends in the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from efspec.record import Record
from efspec.search.baselines import nsga2, random_search
from efspec.search.compiled import CompiledSpace
from efspec.search.evaluation import Evaluate, Evaluation, Evaluations, Spread, keeps_to
from efspec.search.front import front
from efspec.search.joint import Outcome, Step, joint
from efspec.search.slimming import Importances, slimming
from efspec.spec.candidates import Candidate, StageChoice
from efspec.spec.space import Constraints
from efspec.spec.spaces import dump_space

Algorithm = Literal["joint", "slimming", "nsga2", "random"]


class Settings(Record):
    """What a run is asked for; all of it decides what it finds.

    Attributes:
        space: The space, as its file says it.
        algorithm: How it is searched.
        evaluator: What finds accuracies.
        device: The device of latencies; empty without one.
        targets: What networks are wanted, in words, by name.
        budget: How many candidates may be evaluated; None for any number.
        seed: Seed of what is random.
    """

    space: str
    algorithm: Algorithm
    evaluator: str
    device: str
    targets: dict[str, str]
    budget: int | None
    seed: int


class Found(Record):
    """What a run has found.

    Attributes:
        evaluated: Every evaluation, in the order in which they were first asked for.
        front: Those that none beats in accuracy and in MES.
        outcome: The path of a search that has one; None for baselines.
        targets: For each target, the most accurate network that keeps to it.
        missed: Targets that none was found for.
    """

    evaluated: tuple[Evaluation, ...]
    front: tuple[Evaluation, ...]
    outcome: Outcome | None
    targets: dict[str, Evaluation]
    missed: tuple[str, ...]


def search(
    settings: Settings,
    space: CompiledSpace,
    evaluate: Evaluate,
    targets: Mapping[str, Constraints],
    *,
    known: Mapping[Candidate, float] | None = None,
    importances: Importances | None = None,
    told: Callable[[Evaluation], None] = lambda one: None,
    told_step: Callable[[Step], None] = lambda step: None,
    spread: Spread = map,
) -> Found:
    """Search a space.

    Args:
        settings: What is asked for.
        space: The compiled space.
        evaluate: What finds accuracies.
        targets: What networks are wanted, by name.
        known: Accuracies that were found before.
        importances: Of V1's paths; for `slimming`.
        told: Called with each new evaluation before it is used.
        told_step: Called with each step, those of before included.
        spread: What has several accuracies found; see `Evaluations`.

    Raises:
        EfspecError: When the evaluator fails.
    """
    evaluations = Evaluations(
        space, evaluate, known=dict(known or {}), budget=settings.budget, told=told, spread=spread
    )
    outcome: Outcome | None = None
    match settings.algorithm:
        case "joint":
            outcome = joint(evaluations, targets, told_step)
        case "slimming":
            assert importances is not None  # the caller has them
            outcome = slimming(evaluations, importances, targets, told_step)
        case "nsga2" | "random":
            assert settings.budget is not None  # the caller sees to it
            baseline = nsga2 if settings.algorithm == "nsga2" else random_search
            baseline(evaluations, settings.budget, settings.seed)
    evaluated = tuple(evaluations)
    met = _most_accurate(evaluated, targets)
    return Found(
        evaluated=evaluated,
        front=tuple(front(evaluated)),
        outcome=outcome,
        targets=met,
        missed=tuple(name for name in targets if name not in met),
    )


def _most_accurate(
    evaluated: tuple[Evaluation, ...], targets: Mapping[str, Constraints]
) -> dict[str, Evaluation]:
    """For each target, the most accurate network that keeps to it; of equal ones, by the MES.

    That on the path of a search is where its rule first met the target. Networks that it has tried
    beside the path, or came to later, may be better in both.
    """
    found = {}
    for name, wanted in targets.items():
        fitting = [one for one in evaluated if keeps_to(one.figures, wanted)]
        if fitting:
            found[name] = max(fitting, key=lambda one: (one.accuracy, one.figures.get("mes", 0.0)))
    return found


def step_as_dict(step: Step) -> dict[str, Any]:
    """A step as a line of JSON holds it."""
    return {
        "number": step.number,
        "action": {
            "kind": step.action.kind,
            "stage": step.action.stage,
            "block": step.action.block,
        },
        "accuracy": step.after.accuracy,
        "figures": step.after.figures,
        "candidate": candidate_as_list(step.after.candidate),
        "tried": step.tried,
    }


def candidate_as_list(candidate: Candidate) -> list[list[Any]]:
    """A candidate as JSON holds it: width, depth, attention and ratios of each stage."""
    return [
        [stage.width, stage.depth, stage.attention_depth, list(stage.expansion_ratio)]
        for stage in candidate.stages
    ]


def candidate_from_list(stages: list[list[Any]]) -> Candidate:
    """The candidate that `candidate_as_list` wrote."""
    return Candidate(
        tuple(StageChoice(w, depth, attention, tuple(r)) for w, depth, attention, r in stages)
    )


def evaluation_as_dict(one: Evaluation) -> dict[str, Any]:
    """An evaluation as a line of JSON holds it."""
    return {
        "candidate": candidate_as_list(one.candidate),
        "accuracy": one.accuracy,
        "figures": one.figures,
    }


def settings_of(
    space: CompiledSpace,
    algorithm: Algorithm,
    evaluator: str,
    device: str,
    targets: Mapping[str, Constraints],
    budget: int | None,
    seed: int,
) -> Settings:
    """What a run is asked for, as its folder holds it."""
    words = {name: wanted.words() for name, wanted in targets.items()}
    return Settings(dump_space(space.space), algorithm, evaluator, device, words, budget, seed)
