"""`efspec lint`: what is known to slow a network down on devices."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.generate import DIFFERENCE
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    changes,
    check_sources,
    is_stream,
    of_each,
    shipped_names,
)
from efspec.errors import Diagnostic, EfspecError, fail, suggestion
from efspec.record import Record

if TYPE_CHECKING:
    from efspec.lint import Finding, Rule
    from efspec.spec.schema import NetworkSpec


class Certainty(StrEnum):
    """How sure a finding is."""

    inference = "inference"
    elsewhere = "elsewhere"
    published = "published"


class Linted(Record):
    """What was found in a network.

    Attributes:
        name: Name of the spec.
        hash: sha256 of the spec's resolved dump.
        findings: What was found, in the order of the spec.
    """

    name: str
    hash: str
    findings: tuple[Finding, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lint", short_help="Find what is known to slow networks down on devices.")(lint)


def lint(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC",
            help="Specs: paths, names of shipped specs such as v2_s1, or - for standard input.",
            autocompletion=shipped_names,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Say what changes would gain on a device, by its table."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Leave out a rule; may be repeated.")
    ] = None,
    fail_on: Annotated[
        Certainty | None,
        typer.Option(help="Exit 3 if something is found that is as sure as that, or surer."),
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules, and stop.")] = False,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Find what is known to slow networks down on devices, and what to write instead.

    Each rule names what was seen, by whom, and how sure it is: `published` for the device in
    question, published `elsewhere`, or by `inference` alone. Without --device, the device in
    question is that of the evidence.

    With --device, what a change would gain in milliseconds and in MES is told where the device's
    table can say; it never guesses. What was measured on another system, such as iOS 15, is from
    elsewhere, too.

    Wrong specs are reported and left out, and the exit code is 1. --json gives an object for one
    spec, and a list for several or for JSON Lines.
    """
    wanted = _rules(ignore or [])
    if rules:
        _print_rules(wanted, json_)
        return
    if not specs:
        raise typer.BadParameter("name a spec, or ask for --rules", param_hint="SPEC")
    check_sources(specs)
    many = len(specs) > 1 or is_stream(specs[0], input_format)
    linted: list[Linted] = []
    wrong: list[Diagnostic] = []
    find = _finder(device, wanted)
    for one in of_each(specs, changes(set_, size), input_format, find):
        if isinstance(one, EfspecError):
            wrong += one.diagnostics
            continue
        linted.append(one)
        if not json_:
            _print(one)
    if json_ and (many or linted):
        found = [one.as_dict() for one in linted]
        typer.echo(json.dumps(found if many else found[0], indent=2))
    if wrong:
        raise EfspecError(wrong)
    if fail_on and any(_at_least(one, fail_on) for one in linted):
        raise typer.Exit(DIFFERENCE)


def _finder(device: str | None, rules: list[Rule]) -> Callable[[NetworkSpec], Linted]:
    """What finds the rules' places in a network, for a device."""
    from efspec.api import load_mes
    from efspec.lint.lint import lint as find
    from efspec.spec.dump import spec_hash

    source, made, os = None, "", ""
    if device is not None:
        from efspec.latency import device_source

        source = device_source(device)
        made, os = source.table.protocol.device, source.table.protocol.os
    mes = load_mes() if source else None

    def linted(spec: NetworkSpec) -> Linted:
        found = find(spec, source, mes, device=made, os=os, rules=rules)
        return Linted(spec.name, spec_hash(spec), tuple(found))

    return linted


def _rules(ignored: list[str]) -> list[Rule]:
    from efspec.lint import RULES

    names = [rule.name for rule in RULES]
    for name in ignored:
        if name not in names:
            raise fail(
                "unknown-rule",
                f"there is no rule {name!a}",
                expected=", ".join(names),
                fix=suggestion(name, names),
            )
    return [rule for rule in RULES if rule.name not in ignored]


def _at_least(one: Linted, certainty: Certainty) -> bool:
    from efspec.lint.lint import at_least

    return bool(at_least(one.findings, certainty.value))


def _print_rules(rules: list[Rule], json_: bool) -> None:
    names = [name for name in type(rules[0]).fields if name != "find"] if rules else []
    if json_:
        typer.echo(json.dumps([{n: getattr(r, n) for n in names} for r in rules], indent=2))
        return
    for rule in rules:
        measured = ", ".join(filter(None, (rule.device, rule.os)))
        on = f" on {measured}" if measured else ""
        typer.echo(f"{rule.name}: {rule.certainty}{on}")
        typer.echo(f"  seen: {rule.evidence}\n  by:   {rule.source}\n  do:   {rule.advice}")


def _print(one: Linted) -> None:
    if not one.findings:
        typer.echo(f"{one.name}: nothing found")
        return
    typer.echo(f"{one.name}: {len(one.findings)} found")
    for found in one.findings:
        place = f"{found.file}:{found.line}:{found.column}: " if found.line else ""
        typer.echo(f"{place}{found.rule} ({found.certainty}): {found.field}: {found.message}")
        typer.echo(f"  = seen: {found.evidence}")
        typer.echo(f"  = by: {found.source}")
        typer.echo(f"  = do: {found.advice}")
        if found.changes:
            typer.echo(f"  = as: {' '.join(f'--set {_quoted(c)}' for c in found.changes)}")
        if found.gain:
            gain = found.gain
            how = ", ".join(f"{share:.0%} {method}" for method, share in gain.coverage.items())
            change = f"latency {-gain.ms:+.3f} ms"
            change += f", MES {gain.mes:+.1f}" if gain.mes is not None else ""
            said = "" if gain.ms > 0 else "none is predicted: "
            typer.echo(f"  = gain: {said}{change}, on {gain.device}; {how}")
        elif found.unknown:
            typer.echo(f"  = gain: not known: {found.unknown}")


def _quoted(change: str) -> str:
    return f"'{change}'" if set(change) & set(" {}[]") else change
