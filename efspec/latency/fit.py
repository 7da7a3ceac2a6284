"""Fitting a cost model to latencies of whole networks, and what that shows of the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from efspec.errors import fail
from efspec.latency import solve
from efspec.latency.determined import Bound, Jitter, bounds_of, jittered, twins
from efspec.latency.forms import Counted, Form, choose, everything, forms
from efspec.latency.model import CostModelSpec, ErrorsSpec, IntervalSpec, ResidualSpec
from efspec.latency.points import MIN_MS, Observed, PointsSpec, observed
from efspec.latency.predict import bounds, parts_ns
from efspec.latency.table import DeviceTable, Figure
from efspec.latency.told import domain_of, open_questions, significant, terms_of
from efspec.record import Record

MIN_MODELS = 4
"""The least that can be left out one by one, twice over."""
DIGITS = 5
"""How many significant digits milliseconds and errors are kept to."""


class Held(Record):
    """A network, and what was said of it without having seen it.

    Attributes:
        network: Its name.
        model: The model that it is a variant of, all of which was left out.
        side: The longer side of its image in pixels.
        ms: Milliseconds, the mean of its prints.
        fitted_ms: What the model says that was fitted to all networks.
        unseen_ms: What the model says that was chosen and fitted without its model.
        form: The form that was chosen then.
    """

    network: str
    model: str
    side: int
    ms: float
    fitted_ms: float
    unseen_ms: float
    form: Form

    @property
    def error(self) -> float:
        """Relative error without having seen it; 0.1 is a tenth too much."""
        return self.unseen_ms / self.ms - 1

    def spec(self) -> ResidualSpec:
        """As a device's file has it."""
        return ResidualSpec(
            network=self.network,
            ms=significant(self.ms, DIGITS),
            fitted_ms=significant(self.fitted_ms, DIGITS),
            unseen_ms=significant(self.unseen_ms, DIGITS),
        )


class FitReport(Record):
    """A cost model, and what is known of how good it is.

    Attributes:
        name: Name of the points.
        model: The cost model, as a device's file holds it.
        fixed_ns: Nanoseconds that every network costs besides.
        form: What a latency is a sum of.
        tried: How many forms there were to choose from.
        held: The networks that it was fitted to.
        checks: Networks that are only compared with it; unseen and fitted are the same.
        bounds: How far the points leave the model's coefficients open, the fixed cost first.
        open: How far they leave open what each feature may cost, if each may cost something.
        twins: Pairs of features that the networks hardly tell apart, with their correlation.
        jitter: What rounding in print does to it.
    """

    name: str
    model: CostModelSpec
    fixed_ns: int
    form: Form
    tried: int
    held: tuple[Held, ...]
    checks: tuple[Held, ...]
    bounds: tuple[Bound, ...]
    open: tuple[Bound, ...]
    twins: tuple[tuple[str, str, float], ...]
    jitter: Jitter

    def as_dict(self) -> dict[str, Any]:
        """See `Record.as_dict`."""
        return super().as_dict() | {"model": self.model.model_dump(mode="json", exclude_none=True)}

    def table(self, points: PointsSpec, file: str) -> DeviceTable:
        """The device's table.

        Args:
            points: The points that the model was fitted to.
            file: Their file, relative to where the table is to be.
        """
        low, high = bounds(self.model.interval, self.fixed_ns)
        return DeviceTable(
            efspec=1,
            name=points.name,
            description=points.description,
            protocol=points.protocol,
            network=Figure(p50_ns=self.fixed_ns, p10_ns=low, p90_ns=high, method="fitted"),
            points=file,
            model=self.model,
        )


def fit(points: PointsSpec, folder: Path, *, file: str = "") -> FitReport:
    """The cost model of points.

    Its form is chosen by leaving out models one by one. How good that is is told by leaving out
    each model before the choice, so that the choice is judged with it.

    Args:
        points: The points.
        folder: What paths in them are relative to.
        file: What diagnostics call them.

    Raises:
        EfspecError: When a network cannot be had, or there are too few models.
    """
    networks = observed(points, folder)
    counted = Counted(network for network in networks if network.use == "fit")
    others = [network for network in networks if network.use == "check"]
    _check_count(counted, file)
    tried = forms()
    form = choose(counted, [True] * len(counted.networks), tried)
    coefficients = solve.solve(counted.rows(form))
    unseen = _unseen(counted, tried)
    tolerance = max(abs(ms / n.ms - 1) for n, (ms, _) in zip(counted.networks, unseen, strict=True))
    loose = bounds_of(counted, form, tolerance)
    terms = terms_of(form, coefficients, loose)
    fixed_ns = round(float(coefficients[0]))

    def fitted(network: Observed) -> float:
        return (fixed_ns + parts_ns(terms, network.plan)) / 1e6

    held = [
        _held(network, fitted(network), ms, without)
        for network, (ms, without) in zip(counted.networks, unseen, strict=True)
    ]
    checks = [_held(network, fitted(network), fitted(network), form) for network in others]
    open_ = bounds_of(counted, everything(), tolerance)
    pairs = twins(counted, everything())
    model = CostModelSpec(
        terms=terms,
        interval=_interval([*held, *checks]),
        domain=domain_of(counted, form),
        undetermined=tuple(open_questions(counted, form, loose, open_, pairs, tolerance)),
        held_out=tuple(_errors(held)),
        residuals=tuple(one.spec() for one in held),
        checks=tuple(one.spec() for one in checks),
    )
    return FitReport(
        name=points.name,
        model=model,
        fixed_ns=fixed_ns,
        form=form,
        tried=len(tried),
        held=tuple(held),
        checks=tuple(checks),
        bounds=loose,
        open=open_,
        twins=pairs,
        jitter=jittered(counted, form),
    )


def _check_count(counted: Counted, file: str) -> None:
    models = len(set(counted.models))
    if models < MIN_MODELS:
        raise fail(
            "too-few-points",
            f"the points to fit are of {models} models, too few to leave out one by one",
            field="points",
            expected=f"points of at least {MIN_MODELS} models, of different sizes",
            fix="measure more networks, or take a table that is measured",
            file=file,
        )


def _unseen(counted: Counted, tried: Sequence[Form]) -> list[tuple[float, Form]]:
    """What is said of each network when its model is left out before anything is chosen."""
    said: dict[str, tuple[float, Form]] = {}
    for model in dict.fromkeys(counted.models):
        keep = [other != model for other in counted.models]
        form = choose(counted, keep, tried)
        coefficients = solve.solve(counted.rows(form)[keep])
        predicted = counted.rows(form) @ coefficients
        said |= {
            network.name: (float(ratio) * network.ms, form)
            for network, ratio, kept in zip(counted.networks, predicted, keep, strict=True)
            if not kept
        }
    return [said[network.name] for network in counted.networks]


def _held(network: Observed, fitted_ms: float, unseen_ms: float, form: Form) -> Held:
    return Held(
        network=network.name,
        model=network.model,
        side=network.side,
        ms=network.ms,
        fitted_ms=fitted_ms,
        unseen_ms=unseen_ms,
        form=form,
    )


def _interval(seen: Sequence[Held]) -> IntervalSpec:
    """What latencies were over what was said of them unseen, rounded away from 1."""
    ratios = [one.ms / max(one.unseen_ms, MIN_MS) for one in seen]
    low, high = min(1.0, *ratios), max(1.0, *ratios)
    return IntervalSpec(
        low=math.floor(low * 100) / 100, high=math.ceil(high * 100) / 100, networks=len(seen)
    )


def _errors(held: Sequence[Held]) -> list[ErrorsSpec]:
    """Errors about unseen models, by size of image."""
    found: list[ErrorsSpec] = []
    ordered = sorted(held, key=lambda one: (one.side, one.model))
    for side, of_side in groupby(ordered, key=lambda one: one.side):
        worst = [
            max(abs(one.error) for one in of_model)
            for _, of_model in groupby(of_side, key=lambda one: one.model)
        ]
        errors = ErrorsSpec(
            input=side,
            models=len(worst),
            median=significant(float(np.median(worst)), DIGITS),
            largest=significant(max(worst), DIGITS),
        )
        found.append(errors)
    return found
