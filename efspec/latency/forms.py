"""Forms that a cost model may have, and the choice of one by networks that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from efspec.latency import solve
from efspec.latency.features import Features, part_features, total
from efspec.latency.model import UNITS
from efspec.latency.points import Observed
from efspec.plan import Plan, parts
from efspec.record import Record

FIXED = "fixed"
"""The column of what every network costs, whatever it holds."""
UNIT_OF = {
    "roofline": "kB",
    "weights": "kB",
    "activations": "kB",
    "macs": "MMAC",
    "dense": "MMAC",
    "pointwise": "MMAC",
    "depthwise": "MMAC",
    "matmul": "MMAC",
    "softmax": "kilo",
    "wide_heads": "head",
    "ops": "op",
    "reshapes": "op",
}
"""What the coefficient of each feature is per."""
MACS_PER_BYTE = (20, 40, 60, 80)
"""Rooflines that are tried. Past the last, hardly any op of the published networks computes for
longer than it moves bytes."""
MODELS_PER_COEFFICIENT = 2
"""Models that there are to be for each coefficient, or it fits what is chance in them."""
SLACK = 0.1
"""By how much of its error a form may be worse than the best one and have fewer terms instead."""


class Form(Record):
    """A form: what a latency is a sum of, besides a fixed cost.

    Attributes:
        terms: Names of features.
        macs_per_byte: Multiply-accumulates in the time of a byte, for a roofline.
    """

    terms: tuple[str, ...]
    macs_per_byte: int = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The fixed cost and the terms."""
        return (FIXED, *self.terms)

    def __str__(self) -> str:
        names = [
            f"{name} at {self.macs_per_byte} MACs/byte" if name == "roofline" else name
            for name in self.columns
        ]
        return " + ".join(names)


def forms() -> list[Form]:
    """The forms that are tried.

    Each says how work takes time, what attention costs on top, and what single ops or compute of
    one class do. Moving bytes and computing overlap in a roofline, and add up in the others.
    """
    work = [
        *[(("roofline",), ridge) for ridge in MACS_PER_BYTE],
        (("weights", "activations"), 1),
        (("weights", "macs"), 1),
    ]
    attention: list[tuple[str, ...]] = [(), ("softmax",), ("wide_heads",)]
    apart = [(), *[(name,) for name in ("ops", "reshapes", "dense", "depthwise", "matmul")]]
    return [
        Form((*own, *extra, *more), ridge)
        for (own, ridge), extra, more in product(work, attention, apart)
    ]


def everything() -> Form:
    """Each feature by itself, and more than a few points tell apart."""
    overlapping = {"roofline", "macs"}
    return Form(tuple(name for name in UNIT_OF if name not in overlapping))


class Counted:
    """The features of networks, for every form.

    Args:
        networks: The networks.
    """

    def __init__(self, networks: Iterable[Observed]) -> None:
        self.networks = tuple(networks)
        self._features: dict[int, list[Features]] = {}

    @property
    def models(self) -> list[str]:
        """The model of each network."""
        return [network.model for network in self.networks]

    @property
    def targets(self) -> list[float]:
        """The latency of each network in nanoseconds."""
        return [network.ms * 1e6 for network in self.networks]

    def rows(self, form: Form, targets: Sequence[float] | None = None) -> solve.Array:
        """The rows of a form, relative to latencies in nanoseconds."""
        features = self.features(form.macs_per_byte)
        counts = [[_count(f, name) for name in form.columns] for f in features]
        return solve.relative(counts, targets or self.targets)

    def features(self, macs_per_byte: int) -> list[Features]:
        """The features of each network."""
        if macs_per_byte not in self._features:
            self._features[macs_per_byte] = [
                network_features(network.plan, macs_per_byte) for network in self.networks
            ]
        return self._features[macs_per_byte]


def network_features(plan: Plan, macs_per_byte: int) -> Features:
    """The features of a whole network."""
    return total(part_features(plan, part, macs_per_byte) for part in parts(plan))


def choose(counted: Counted, keep: Sequence[bool], tried: Sequence[Form]) -> Form:
    """The form of fewest terms among those that tell nearly best of models left out.

    A form that has too many coefficients for so few models is not tried.

    Args:
        counted: Networks.
        keep: Which of them are known.
        tried: Forms.
    """
    models = [model for model, kept in zip(counted.models, keep, strict=True) if kept]
    most = max(len(set(models)) // MODELS_PER_COEFFICIENT, 2)
    errors = {
        form: solve.root_mean_square(solve.without_each(counted.rows(form)[list(keep)], models))
        for form in tried
        if len(form.columns) <= most
    }
    limit = min(errors.values()) * (1 + SLACK)
    near = [form for form, error in errors.items() if error <= limit]
    return min(near, key=lambda form: (len(form.terms), errors[form]))


def _count(features: Features, column: str) -> float:
    return 1.0 if column == FIXED else getattr(features, column) / UNITS[UNIT_OF[column]]
