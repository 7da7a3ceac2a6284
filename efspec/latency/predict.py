"""What a cost model says of the parts of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from efspec.latency.features import Features, part_features, part_kinds
from efspec.latency.model import UNITS, CostModelSpec, DomainSpec, IntervalSpec, TermsSpec
from efspec.plan import Part, Plan, parts
from efspec.record import Record


class Fitted(Record):
    """How long a part takes, by a cost model.

    Attributes:
        ns: Nanoseconds.
        low_ns: The least that it may be.
        high_ns: The most that it may be.
        beyond: In which ways it is beyond the networks that the model was fitted to.
    """

    ns: int
    low_ns: int
    high_ns: int
    beyond: tuple[str, ...] = ()


def predict(model: CostModelSpec, plan: Plan, part: Part) -> Fitted | None:
    """How long a part of a network takes, deployed or not.

    None for a part with a kind of op that the model has never seen: it may be slower by any
    factor, as is reported of some activations and of large kernels.
    """
    if unseen(model, plan, part):
        return None
    features = part_features(plan, part, model.terms.macs_per_byte)
    ns = cost(model.terms, features)
    return Fitted(ns, *bounds(model.interval, ns), tuple(_larger(model.domain, features)))


def unseen(model: CostModelSpec, plan: Plan, part: Part) -> tuple[str, ...]:
    """Kinds of ops of a part that no network had which the model was fitted to."""
    return tuple(sorted(part_kinds(plan, part) - set(model.domain.ops)))


def cost(terms: TermsSpec, features: Features) -> int:
    """Nanoseconds that features take."""
    counts: dict[str, int] = features._asdict()
    return round(sum(term.ns * counts[name] / UNITS[term.per] for name, term in terms.given()))


def bounds(interval: IntervalSpec, ns: int) -> tuple[int, int]:
    """The least and the most that a latency may be."""
    return math.floor(ns * interval.low), math.ceil(ns * interval.high)


def beyond(model: CostModelSpec, plan: Plan) -> tuple[str, ...]:
    """In which ways a network is beyond those that the model was fitted to; empty for within."""
    found: list[str] = []
    smallest, largest = model.domain.input
    _, *sides = plan.input
    if not all(smallest <= side <= largest for side in sides):
        found.append(f"an image of {'x'.join(map(str, sides))}, beyond {smallest} to {largest}")
    for part in parts(plan):
        new = [f"{kind}, never seen" for kind in unseen(model, plan, part)]
        features = part_features(plan, part, model.terms.macs_per_byte)
        found += [f"{part.path}: {text}" for text in (*new, *_larger(model.domain, features))]
    return tuple(found)


def parts_ns(terms: TermsSpec, plan: Plan) -> int:
    """Nanoseconds of all parts of a network together, whatever ops it has."""
    return sum(cost(terms, part_features(plan, part, terms.macs_per_byte)) for part in parts(plan))


def _larger(domain: DomainSpec, features: Features) -> Iterator[str]:
    for name, value in features._asdict().items():
        largest = domain.largest.get(name, value)
        if value > largest:
            yield f"{name} of {value:,}, beyond {largest:,}"
