"""Looking for what is known to cost speed, and what taking it away would gain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property

from efspec.cost import LatencySource, Mes, Score, score
from efspec.errors import EfspecError
from efspec.lint.rule import CERTAINTIES, Certainty, Finding, Gain, Match, Rule
from efspec.lint.rules import RULES
from efspec.plan import Plan
from efspec.spec.dump import dump
from efspec.spec.loader import load
from efspec.spec.resolve import resolve
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Place, field_text


def lint(
    spec: NetworkSpec,
    source: LatencySource | None = None,
    mes: Mes | None = None,
    *,
    device: str = "",
    os: str = "",
    rules: Iterable[Rule] = RULES,
) -> list[Finding]:
    """What in a network is known to cost speed, in the order of the spec.

    Args:
        spec: The network.
        source: What says how long networks take; without it, gains stay unknown.
        mes: How size and latency become one figure; goes with the source.
        device: The device in question, as its maker calls it; empty for that of each rule.
        os: Its system, such as iOS 16; goes with the device.
        rules: What to look for.

    Raises:
        EfspecError: When the spec cannot be resolved.
    """
    plan = resolve(spec)
    predictor = _Predictor(plan, source, mes) if source else None
    found = [
        _finding(spec, rule, match, _certainty(rule, device, os), predictor)
        for rule in rules
        for match in rule.find(spec, plan)
    ]
    return sorted(found, key=lambda one: (one.line, one.column))


def at_least(found: Iterable[Finding], certainty: Certainty) -> list[Finding]:
    """The findings that are as sure as that, or surer."""
    least = CERTAINTIES.index(certainty)
    return [one for one in found if CERTAINTIES.index(one.certainty) >= least]


class _Predictor:
    """Says what changes gain; the network itself is scored once, and only if there is a change."""

    def __init__(self, plan: Plan, source: LatencySource, mes: Mes | None) -> None:
        self._plan = plan
        self._source = source
        self._mes = mes

    def gain(self, changed: Plan) -> Gain | str:
        """The gain of changing into another network, or why it is not known."""
        now, then = self._now, self._scored(changed)
        if isinstance(now, str):
            return now
        if isinstance(then, str):
            return f"with the change, {then}"
        assert now.latency_ms is not None  # both come from a source
        assert then.latency_ms is not None
        return Gain(
            ms=now.latency_ms - then.latency_ms,
            mes=None if now.mes is None or then.mes is None else then.mes - now.mes,
            device=then.device or "",
            coverage=then.coverage or {},
        )

    @cached_property
    def _now(self) -> Score | str:
        return self._scored(self._plan)

    def _scored(self, plan: Plan) -> Score | str:
        try:
            return score(plan, self._source, self._mes)
        except EfspecError as error:
            return _reason(error.diagnostics[0].message, error.diagnostics)


def _finding(
    spec: NetworkSpec,
    rule: Rule,
    match: Match,
    certainty: Certainty,
    predictor: _Predictor | None,
) -> Finding:
    where: Place = {"file": "", "line": 0, "column": 0, "source": ""}
    if spec.source_map:
        where = spec.source_map.place(match.loc)
    changed = _changed(spec, match.changes)
    gain: Gain | str = ""
    if predictor:
        gain = predictor.gain(changed) if changed else "it takes more than changes of fields"
        gain = match.unpredictable or gain
    return Finding(
        rule=rule.name,
        certainty=certainty,
        field=field_text(match.loc),
        path=match.path,
        message=match.message,
        evidence=rule.evidence,
        source=rule.source,
        advice=rule.advice,
        changes=match.changes if changed else (),
        gain=gain if isinstance(gain, Gain) else None,
        unknown=gain if isinstance(gain, str) else "",
        file=where["file"],
        line=where["line"],
        column=where["column"],
    )


def _certainty(rule: Rule, device: str, os: str) -> Certainty:
    """How sure a rule is of a device: what was published of another is not known of it.

    Nor is what was published of another system: EfficientFormer-L1 took 1.6 ms on iOS 15 and takes
    1.4 ms on iOS 16, and others changed by far more.
    """
    if rule.certainty != "published" or not device:
        return rule.certainty
    is_same_os = os == rule.os or os.startswith(f"{rule.os}.")
    return "published" if device == rule.device and is_same_os else "elsewhere"


def _changed(spec: NetworkSpec, changes: Sequence[str]) -> Plan | None:
    """The network after changes; None where there are none, or they do not make one."""
    if not changes:
        return None
    try:
        return resolve(load(json.loads(dump(spec, format="json")), set=changes))
    except EfspecError:
        return None


def _reason(first: str, diagnostics: Sequence[object]) -> str:
    more = len(diagnostics) - 1
    return first + (f", and {more} more" if more else "")
