"""Searches to compare with: random candidates, and evolution by NSGA-II."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from efspec.errors import fail
from efspec.extras import need
from efspec.search.evaluation import BudgetError, Evaluations, keeps_to
from efspec.spec.candidates import Candidate, StageChoice, sample
from efspec.spec.space import SpaceSpec

MAX_DRAWN = 10_000
"""How many candidates are drawn in a row without one that keeps to the constraints."""
POPULATION = 16


def check_pymoo() -> None:
    """Refuse to evolve without pymoo.

    Raises:
        EfspecError: When it is not installed.
    """
    need("evolution needs", "pymoo", extra="search")


def random_search(evaluations: Evaluations, budget: int, seed: int) -> None:
    """Evaluate random members that keep to the space's constraints, no two alike.

    Raises:
        EfspecError: When hardly any member keeps to them.
    """
    space, chance = evaluations.space.space, random.Random(seed)
    drawn: dict[Candidate, None] = {}
    while len(drawn) < budget:
        for _ in range(MAX_DRAWN):
            candidate = sample(space, chance)
            if candidate in drawn:
                continue
            (figures,) = evaluations.figures([candidate])
            if keeps_to(figures, space.constraints):
                break
        else:
            raise fail(
                "empty-space",
                f"none of {MAX_DRAWN:,} random members is new and keeps to the constraints",
                field="constraints",
                file=space.name,
            )
        drawn[candidate] = None
    with suppress(BudgetError):
        evaluations.all(list(drawn))


def nsga2(evaluations: Evaluations, budget: int, seed: int, population: int = POPULATION) -> None:
    """Evolve members towards more accuracy and more MES, by pymoo's NSGA-II.

    Raises:
        EfspecError: When pymoo is not installed.
    """
    check_pymoo()
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.problems.static import StaticProblem

    space = evaluations.space.space
    genes = Genes(space)

    algorithm = NSGA2(
        pop_size=min(population, budget),
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=0.3, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    problem = Problem(
        n_var=len(genes.sizes),
        n_obj=2,
        n_ieq_constr=1,
        xl=0,
        xu=[n - 1 for n in genes.sizes],
        vtype=int,
    )
    # Candidates come again, and cost nothing then: generations are bounded besides.
    algorithm.setup(problem, termination=("n_gen", 20 * budget), seed=seed, verbose=False)
    with suppress(BudgetError):
        while algorithm.has_next():
            generation = algorithm.ask()
            rows = generation.get("X").tolist()
            found = _objectives(evaluations, [genes.candidate(row) for row in rows])
            Evaluator().eval(StaticProblem(problem, **found), generation)
            algorithm.tell(infills=generation)


def _objectives(
    evaluations: Evaluations, candidates: Sequence[Candidate]
) -> dict[str, npt.NDArray[np.float64]]:
    """What pymoo makes small, of each candidate (N, 2), and above 0 where it is not wanted (N, 1).

    Raises:
        BudgetError: When there are too few evaluations left.
    """
    wanted = evaluations.space.space.constraints
    fits = [keeps_to(figures, wanted) for figures in evaluations.figures(candidates)]
    made = iter(evaluations.all([c for c, fit in zip(candidates, fits, strict=True) if fit]))
    found = [next(made) if fit else None for fit in fits]
    return {
        "F": np.array([[-one.accuracy, -one.mes] if one else [0.0, 0.0] for one in found]),
        "G": np.array([[-1.0] if one else [1.0] for one in found]),
    }


class Genes:
    """Candidates as whole numbers: of each stage its width, its depth, and each slot's ratio.

    Args:
        space: The space.
    """

    def __init__(self, space: SpaceSpec) -> None:
        self._space = space
        self.sizes = [
            n
            for stage in space.stages
            for n in (
                len(stage.width),
                len(stage.depths()),
                *[len(stage.expansion_ratio)] * max(stage.depth),
            )
        ]

    def candidate(self, genes: list[int]) -> Candidate:
        """The candidate of some genes; those of slots that are not there do not matter."""
        stages, at = [], 0
        for stage in self._space.stages:
            width, pair = genes[at], genes[at + 1]
            slots = genes[at + 2 : at + 2 + max(stage.depth)]
            at += 2 + max(stage.depth)
            depth, attention = stage.depths()[pair]
            ratios = tuple(stage.expansion_ratio[gene] for gene in slots[:depth])
            stages.append(StageChoice(stage.width[width], depth, attention, ratios))
        return Candidate(tuple(stages))
