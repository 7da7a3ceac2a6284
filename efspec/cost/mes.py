"""The Mobile Efficiency Score of EfficientFormer V2: size and speed in one figure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from efspec.errors import fail
from efspec.record import Record


class Term(Record):
    """One metric's part in a score: `(metric / unit) ** exponent`."""

    unit: float
    exponent: float


class Mes(Record):
    """A score: a base times the product of its metrics' terms.

    The shipped constants are in `specs/mes.yaml`. Exponents are written with their sign: negative
    ones, as those of size and latency are, let the score fall as the metric grows.

    References:
        https://arxiv.org/abs/2212.08059, equation 7
    """

    score: float
    terms: Mapping[str, Term]

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The score of a network.

        Args:
            metrics: Value of each metric by name, in the units of a score report.

        Raises:
            KeyError: When a metric is missing.
            EfspecError: When it is too large for a number.
        """
        factors = (
            (metrics[name] / term.unit) ** term.exponent for name, term in self.terms.items()
        )
        try:
            score = float(self.score * math.prod(factors))
        except OverflowError:
            score = math.inf
        if not math.isfinite(score):
            message = "the MES is too large a number: check the latency and the constants"
            raise fail("mes-out-of-range", message)
        return score
