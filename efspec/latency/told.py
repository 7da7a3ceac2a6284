"""What a fit is told as: the terms of a model, where it may be believed, and what stays open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from efspec.latency.determined import Bound
from efspec.latency.features import WIDE_QUERIES, part_features, part_kinds
from efspec.latency.forms import FIXED, UNIT_OF, Counted, Form
from efspec.latency.model import DomainSpec, TermsSpec
from efspec.plan import parts
from efspec.plan.ops import Softmax

DIGITS = 6
"""Significant digits of coefficients."""
RANGE_DIGITS = 3
"""Significant digits of what they may be as well."""


def terms_of(form: Form, coefficients: Iterable[float], bounds: Sequence[Bound]) -> TermsSpec:
    """The terms of a model.

    Args:
        form: What a latency is a sum of.
        coefficients: Nanoseconds of the fixed cost, and per unit of each term.
        bounds: How far each is left open.
    """
    ranges = {
        bound.term: (significant(bound.least, RANGE_DIGITS), significant(bound.most, RANGE_DIGITS))
        for bound in bounds
    }
    terms: dict[str, dict[str, object]] = {}
    for name, value in zip(form.columns, coefficients, strict=True):
        if name == FIXED:
            continue
        terms[name] = {"ns": significant(float(value)), "per": UNIT_OF[name]}
        if name == "roofline":
            terms[name]["macs_per_byte"] = form.macs_per_byte
        if name in ranges:
            terms[name]["range"] = ranges[name]
    return TermsSpec.model_validate(terms)


def domain_of(counted: Counted, form: Form) -> DomainSpec:
    """What the networks had that a model was fitted to."""
    kinds: set[str] = set()
    largest = dict.fromkeys(form.terms, 0)
    for network in counted.networks:
        for part in parts(network.plan):
            kinds |= part_kinds(network.plan, part)
            features = part_features(network.plan, part, form.macs_per_byte)
            largest = {name: max(most, getattr(features, name)) for name, most in largest.items()}
    sides = [side for network in counted.networks for side in network.plan.input[1:]]
    return DomainSpec(ops=tuple(sorted(kinds)), input=(min(sides), max(sides)), largest=largest)


def open_questions(
    counted: Counted,
    form: Form,
    bounds: Sequence[Bound],
    open_: Sequence[Bound],
    pairs: Iterable[tuple[str, str, float]],
    tolerance: float,
) -> Iterator[str]:
    """What the networks leave open, in sentences.

    Args:
        counted: The networks.
        form: What the model is a sum of.
        bounds: How far the model's coefficients are left open.
        open_: How far all are, if each may be something.
        pairs: Features that go up and down together.
        tolerance: By how much networks may be missed there.
    """
    yield (
        "No part was measured by itself. What is said of parts are shares of whole networks, and"
        " may be off by more than the interval, which is of whole networks."
    )
    loose = [bound for bound in bounds if bound.least == 0]
    if loose:
        words = " and ".join(f"{b.term} (up to {b.share:.0%} of a network)" for b in loose)
        yield f"With no network missed by more than {tolerance:.0%}, it can be 0: {words}."
    free = [bound.term for bound in open_ if bound.least == 0]
    if free:
        yield (
            f"If each feature may cost something of its own, these can be 0 in turn:"
            f" {', '.join(free)}."
        )
    yield from (f"{a} and {b} go together (correlation {r:.3f})." for a, b, r in pairs)
    if "wide_heads" in form.terms:
        yield from _of_attention(counted)


def significant(value: float, digits: int = DIGITS) -> float:
    """A number of so many significant digits."""
    return value if value == 0 else round(value, digits - 1 - math.floor(math.log10(abs(value))))


def _of_attention(counted: Counted) -> Iterator[str]:
    """Where attention becomes dear, as far as the networks show it."""
    shapes = {
        placed.output_shapes[0].sizes
        for network in counted.networks
        for placed in network.plan.ops()
        if isinstance(placed.op, Softmax)
    }
    narrow = {queries for _, queries, _ in shapes if queries <= WIDE_QUERIES}
    wide = {queries for _, queries, _ in shapes if queries > WIDE_QUERIES}
    if narrow and wide:
        yield (
            f"Attention of {max(narrow)} queries is cheap and of {min(wide)} dear. Where in between"
            f" it turns is not known; {WIDE_QUERIES} is taken."
        )
    heads = {heads for heads, _, _ in shapes}
    if len(heads) == 1:
        yield f"All attention has {heads.pop()} heads: cost per head and per attention look alike."
