"""Looking for what is known to cost speed, and what taking it away would gain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from efspec.cost import LatencySource, Mes, Score, score
from efspec.errors import EfspecError
from efspec.lint.rule import CERTAINTIES, Certainty, Finding, Gain, Match, Rule
from efspec.lint.rules import RULES
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
    rules: Iterable[Rule] = RULES,
) -> list[Finding]:
    """What in a network is known to cost speed, in the order of the spec.

    Args:
        spec: The network.
        source: What says how long networks take; without it, gains stay unknown.
        mes: How size and latency become one figure; goes with the source.
        device: The device in question, as its maker calls it; empty for that of each rule.
        rules: What to look for.

    Raises:
        EfspecError: When the spec cannot be resolved.
    """
    plan = resolve(spec)
    now, unknown = _scored(spec, source, mes)
    found = [
        _finding(spec, rule, match, device, now, unknown, source, mes)
        for rule in rules
        for match in rule.find(spec, plan)
    ]
    return sorted(found, key=lambda one: (one.line, one.column))


def at_least(found: Iterable[Finding], certainty: Certainty) -> list[Finding]:
    """The findings that are as sure as that, or surer."""
    least = CERTAINTIES.index(certainty)
    return [one for one in found if CERTAINTIES.index(one.certainty) >= least]


def _finding(
    spec: NetworkSpec,
    rule: Rule,
    match: Match,
    device: str,
    now: Score | None,
    unknown: str,
    source: LatencySource | None,
    mes: Mes | None,
) -> Finding:
    where: Place = {"file": "", "line": 0, "column": 0, "source": ""}
    if spec.source_map:
        where = spec.source_map.place(match.loc)
    gain = None
    if now and match.changes:
        changed = load(json.loads(dump(spec, format="json")), set=match.changes)
        then, unknown = _scored(changed, source, mes)
        gain = _gain(now, then) if then else None
    return Finding(
        rule=rule.name,
        certainty=_certainty(rule, device),
        field=field_text(match.loc),
        path=match.path,
        message=match.message,
        evidence=rule.evidence,
        source=rule.source,
        advice=rule.advice,
        changes=match.changes,
        gain=gain,
        unknown=unknown if gain is None else "",
        file=where["file"],
        line=where["line"],
        column=where["column"],
    )


def _certainty(rule: Rule, device: str) -> Certainty:
    """How sure a rule is of a device: what was published of another is not known of it."""
    is_other = rule.certainty == "published" and device not in ("", rule.device)
    return "elsewhere" if is_other else rule.certainty


def _scored(
    spec: NetworkSpec, source: LatencySource | None, mes: Mes | None
) -> tuple[Score | None, str]:
    """A network's score, or why there is none."""
    if source is None:
        return None, ""
    try:
        return score(resolve(spec), source, mes), ""
    except EfspecError as error:
        return None, _reason(error.diagnostics[0].message, error.diagnostics)


def _reason(first: str, diagnostics: Sequence[object]) -> str:
    more = len(diagnostics) - 1
    return first + (f", and {more} more" if more else "")


def _gain(now: Score, then: Score) -> Gain:
    assert now.latency_ms is not None  # both come from a source
    assert then.latency_ms is not None
    assert now.mes is not None
    assert then.mes is not None
    return Gain(
        ms=now.latency_ms - then.latency_ms,
        mes=then.mes - now.mes,
        device=then.device or "",
        coverage=then.coverage or {},
    )
