"""Evaluations of candidates: each is made once, kept, and written down before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from efspec.errors import fail
from efspec.record import Record
from efspec.search.arrays import of_each
from efspec.search.compiled import CompiledSpace
from efspec.spec.candidates import Candidate
from efspec.spec.space import Bound, Constraints

Evaluate = Callable[[Candidate], float]
"""The accuracy of a candidate, from 0 to 1, however it is found."""
Spread = Callable[[Evaluate, Sequence[Candidate]], Iterable[float]]


class Evaluation(Record):
    """A candidate and what is known of it.

    Attributes:
        candidate: The candidate.
        accuracy: Its accuracy, from 0 to 1.
        figures: What it costs, by metric.
    """

    candidate: Candidate
    accuracy: float
    figures: dict[str, float]

    @property
    def mes(self) -> float:
        """What the search wants much of besides accuracy."""
        return self.figures["mes"]


class BudgetError(Exception):
    """There are no evaluations left."""


class Evaluations:
    """The evaluations of a search, in the order in which they were first asked for.

    A search that is begun again asks for the same ones in the same order, so what was written down
    is all that it needs to go on where it stopped.

    Args:
        space: The compiled space.
        evaluate: What finds a candidate's accuracy.
        known: Accuracies that were found before.
        budget: How many candidates may be asked for; None for any number.
        told: Called with each new evaluation before it is used.
        spread: What finds several accuracies, in order: `map`, one after the other, or what shares
            them among threads or processes.
    """

    def __init__(
        self,
        space: CompiledSpace,
        evaluate: Evaluate,
        *,
        known: dict[Candidate, float] | None = None,
        budget: int | None = None,
        told: Callable[[Evaluation], None] = lambda evaluation: None,
        spread: Spread = map,
    ) -> None:
        self.space = space
        self._evaluate = evaluate
        self._known = dict(known or {})
        self._budget = budget
        self._told = told
        self._spread = spread
        self._made: dict[Candidate, Evaluation] = {}

    def __len__(self) -> int:
        return len(self._made)

    def __iter__(self) -> Iterator[Evaluation]:
        return iter(list(self._made.values()))

    def figures(self, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        """What candidates cost, by metric; this needs no evaluation."""
        if not candidates:
            return []
        columns = self.space.figures(of_each(self.space.space, candidates), peak=True).columns()
        names, values = list(columns), [column.tolist() for column in columns.values()]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def of(self, candidate: Candidate) -> Evaluation:
        """The evaluation of a candidate; see `all`."""
        (found,) = self.all([candidate])
        return found

    def all(self, candidates: Sequence[Candidate]) -> list[Evaluation]:
        """The evaluations of candidates.

        Raises:
            BudgetError: When there are too few left for those that were not made before; as many
                as there are have then been made.
            EfspecError: When an accuracy is no number from 0 to 1, or cannot be found.
        """
        new = [one for one in dict.fromkeys(candidates) if one not in self._made]
        left = len(new) if self._budget is None else self._budget - len(self._made)
        asked = new[:left]
        found = iter(self._spread(self._evaluate, [c for c in asked if c not in self._known]))
        for candidate, figures in zip(asked, self.figures(asked), strict=True):
            is_new = candidate not in self._known
            accuracy = next(found) if is_new else self._known[candidate]
            if not 0 <= accuracy <= 1:  # nor is NaN
                raise fail(
                    "bad-accuracy",
                    f"an accuracy of {accuracy}",
                    expected="a number from 0 to 1",
                    fix="see what the evaluator does; the run can be resumed",
                )
            evaluation = Evaluation(candidate, accuracy, figures)
            if is_new:
                self._told(evaluation)
            self._made[candidate] = evaluation
        if left < len(new):
            raise BudgetError
        return [self._made[candidate] for candidate in candidates]


def keeps_to(figures: dict[str, float], constraints: Constraints) -> bool:
    """Whether a candidate's figures keep to constraints."""
    bounds: Iterator[tuple[str, Bound | None]] = iter(constraints)
    return all(
        (bound.min is None or figures[name] >= bound.min)
        and (bound.max is None or figures[name] <= bound.max)
        for name, bound in bounds
        if bound is not None
    )


def first(evaluations: Evaluations, count: int) -> list[Evaluation]:
    """The evaluations that were asked for first."""
    return list(islice(evaluations, count))
