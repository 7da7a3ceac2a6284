"""`efspec score`: what networks cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_table
from efspec.cli.files import write_lines
from efspec.cli.options import (
    InputFormat,
    InputFormatOption,
    JsonOption,
    OutputOption,
    SetOption,
    SizeOption,
    SpecArguments,
    changes,
    check_sources,
    is_stream,
)
from efspec.errors import Diagnostic, EfspecError, fail

if TYPE_CHECKING:
    from efspec.cost import LatencySource, Mes, Row, Score
    from efspec.plan import Plan

    Scored = tuple[Score, list[Row]]


class By(StrEnum):
    """What to split a network's cost by."""

    stage = "stage"
    block = "block"
    op = "op"
    kind = "kind"


class Format(StrEnum):
    """How to print scores."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class Sort(StrEnum):
    """What to sort a comparison by."""

    given = "given"
    name = "name"
    params = "params"
    macs = "macs"
    memory = "memory"
    mes = "mes"


SUMMARY = (
    "name",
    "input",
    "params",
    "params_folded",
    "macs",
    "activation_bytes_peak",
    "latency_ms",
    "mes",
)
"""Columns of a comparison, of CSV, and of the figures above a table."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", short_help="Count parameters, MACs and memory; rate by MES.")(score)


def score(
    specs: SpecArguments,
    latency_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Latency of the network, if known; gives the MES."),
    ] = None,
    mes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Constants of the MES, instead of the paper's."),
    ] = None,
    by: Annotated[
        By | None, typer.Option(help="Split the cost; one spec is split by stage anyway.")
    ] = None,
    sort: Annotated[Sort, typer.Option(help="Order of several specs.")] = Sort.given,
    json_: JsonOption = False,
    format_: Annotated[
        Format | None, typer.Option("--format", help="How to print; --json is --format json.")
    ] = None,
    output: OutputOption = None,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Count parameters, MACs and activation memory; with a latency, the MES.

    Counts are exact, for any input size, and need no torch. MACs are the multiply-accumulates of
    convolutions, linears and matrix products. Folded parameters leave out batch norms and layer
    scales, and count both heads, as the papers do. Memory is that of activations at batch 1 in
    half precision.

    Several specs are compared, and those of JSON Lines (one spec per line). Wrong ones are
    reported after the others are scored, and the exit code is 1.
    """
    from efspec.cost import given

    many = len(specs) > 1 or is_stream(specs[0], input_format)
    chosen = _format(format_, json_)
    check_sources(specs)
    _check_latency(latency_ms, mes, sort, many)
    if by and chosen is Format.csv:
        raise typer.BadParameter("it goes with a table or JSON", param_hint="--by")
    if chosen is Format.table and output is not None and str(output) != "-":
        raise typer.BadParameter("it goes with --json or --format", param_hint="-o")
    source = given(latency_ms) if latency_ms is not None else None
    constants = _constants(mes) if source else None
    wrong: list[Diagnostic] = []
    scored = _scores(specs, changes(set_, size), input_format, source, constants, by, wrong)
    if sort is not Sort.given:
        scored = iter(_sorted(scored, sort))
    if not many:
        scored = iter(list(scored))
        if wrong:  # there is nothing to print, and no file to write
            raise EfspecError(wrong)
    if chosen is Format.table:
        _print_tables(list(scored), by, many)
    else:
        write_lines(output, _lines(scored, chosen, by, many))
    if wrong:
        raise EfspecError(wrong)


def _format(format_: Format | None, json_: bool) -> Format:
    if json_ and format_ not in (None, Format.json):
        raise typer.BadParameter("it contradicts --format", param_hint="--json")
    return format_ or (Format.json if json_ else Format.table)


def _check_latency(latency_ms: float | None, mes: Path | None, sort: Sort, many: bool) -> None:
    if latency_ms is None:
        if mes is not None:
            raise typer.BadParameter("a MES needs a latency: add --latency-ms", param_hint="--mes")
        if sort is Sort.mes:
            raise typer.BadParameter("there is no MES without a latency", param_hint="--sort")
    elif many:
        raise typer.BadParameter(
            "it is the latency of one network: give one spec", param_hint="--latency-ms"
        )
    elif not 0 < latency_ms < math.inf:
        raise typer.BadParameter("a latency is a number above 0", param_hint="--latency-ms")


def _scores(
    specs: list[str],
    sets: tuple[str, ...],
    input_format: InputFormat | None,
    source: LatencySource | None,
    constants: Mes | None,
    by: By | None,
    wrong: list[Diagnostic],
) -> Iterator[Scored]:
    """Score of each spec, and how it splits; what is wrong with others goes into `wrong`."""
    from efspec.cost import score as score_plan
    from efspec.spec.loader import load_all
    from efspec.spec.resolve import resolve

    for name in specs:
        try:
            for loaded in load_all(name, set=sets, input_format=input_format):
                try:
                    if isinstance(loaded, EfspecError):
                        raise loaded
                    plan = resolve(loaded)
                    one = score_plan(plan, source, constants)
                    if one.mes is not None and not math.isfinite(one.mes):
                        raise OverflowError
                    yield one, _rows(plan, one, by or By.stage)
                except EfspecError as error:
                    wrong += error.diagnostics
                except OverflowError:
                    message = "its MES is too large a number: check the latency and the constants"
                    wrong += fail("mes-out-of-range", message, file=name).diagnostics
        except EfspecError as error:  # the source cannot be read, or read on
            wrong += error.diagnostics


def _constants(file: Path | None) -> Mes:
    from efspec.api import load_mes

    return load_mes(file)


def _sorted(scored: Iterable[Scored], sort: Sort) -> list[Scored]:
    match sort:
        case Sort.given:
            return list(scored)
        case Sort.name:
            return sorted(scored, key=lambda pair: pair[0].name)
        case Sort.params:
            return sorted(scored, key=lambda pair: pair[0].params)
        case Sort.macs:
            return sorted(scored, key=lambda pair: pair[0].macs)
        case Sort.memory:
            return sorted(scored, key=lambda pair: pair[0].activation_bytes_peak)
        case Sort.mes:
            return sorted(scored, key=lambda pair: -(pair[0].mes or 0.0))


def _lines(scored: Iterator[Scored], form: Format, by: By | None, many: bool) -> Iterator[str]:
    """What is written, a line or several at a time: there may be a million scores."""
    match form:
        case Format.jsonl:
            return (json.dumps(_as_dict(*pair, by)) for pair in scored)
        case Format.csv:
            return _csv(one for one, _ in scored)
        case _:
            texts = (json.dumps(_as_dict(*pair, by), indent=2) for pair in scored)
            return _json_list(texts) if many else texts


def _json_list(texts: Iterator[str]) -> Iterator[str]:
    """A list of values, as `json.dumps(values, indent=2)` has it, without holding all of them."""
    before = ""
    for text in texts:
        yield f"{before}," if before else "["
        before = indent(text, "  ")
    yield f"{before}\n]" if before else "[]"


def _as_dict(one: Score, rows: list[Row], by: By | None) -> dict[str, object]:
    """A score, and the split that it does not hold by itself."""
    split = {f"{by}s": [row.as_dict() for row in rows]} if by in (By.op, By.kind) else {}
    return one.as_dict() | split


def _rows(plan: Plan, one: Score, by: By) -> list[Row]:
    from efspec.cost.report import kind_rows, op_rows

    match by:
        case By.stage:
            return list(one.stages)
        case By.block:
            return list(one.blocks)
        case By.op:
            return op_rows(plan)
        case By.kind:
            return kind_rows(plan)


def _summary(one: Score) -> list[Cell]:
    values = one.as_dict() | {"input": "x".join(map(str, one.input))}
    return [values[column] for column in SUMMARY]


def _print_tables(scored: list[Scored], by: By | None, many: bool) -> None:
    if many and scored:
        _print_comparison([one for one, _ in scored])
    elif many:
        typer.echo("no specs", err=True)
    for one, rows in scored:
        if by and many:
            typer.echo()
        if by or not many:
            _print_one(one, rows, by or By.stage)


def _print_comparison(scores: list[Score]) -> None:
    known = [
        i for i, column in enumerate(SUMMARY) if any(_summary(s)[i] is not None for s in scores)
    ]
    columns = [SUMMARY[i].replace("activation_bytes_peak", "peak_bytes") for i in known]
    print_table(columns, [[_summary(one)[i] for i in known] for one in scores])


def _print_one(one: Score, rows: list[Row], by: By) -> None:
    figures = [
        f"{one.name}, input {'x'.join(map(str, one.input))}",
        f"  params         {one.params:>15,}",
        f"  params folded  {one.params_folded:>15,}   as the papers count",
        f"  MACs           {one.macs:>15,}",
        f"  peak memory    {one.activation_bytes_peak:>15,}   bytes of activations, batch 1, fp16",
    ]
    if one.latency_ms is not None:
        how = ", ".join(f"{share:.0%} {method}" for method, share in (one.coverage or {}).items())
        figures.append(f"  latency        {one.latency_ms:>15.3f}   ms, {how}")
    if one.mes is not None:
        figures.append(f"  MES            {one.mes:>15.1f}")
    typer.echo("\n".join(figures) + "\n")
    timed = any(row.latency_ms is not None for row in rows)
    shaped = any(row.output for row in rows)
    columns = [by.value, *(["type"] if any(row.type for row in rows) else [])]
    columns += ["output"] * shaped + ["params", "folded", "MACs", "MACs %"] + ["ms"] * timed
    table: list[list[Cell]] = []
    for row in rows:
        cells: list[Cell] = [row.name]
        cells += [row.type] if "type" in columns else []
        cells += ["x".join(map(str, row.output))] * shaped
        share = 100 * row.macs / one.macs if one.macs else 0.0
        cells += [row.params, row.params_folded, row.macs, share]
        cells += [row.latency_ms] if timed else []
        table.append(cells)
    print_table(columns, table)


def _csv(scores: Iterable[Score]) -> Iterator[str]:
    import csv
    import io

    def line(cells: list[Cell]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow("" if c is None else c for c in cells)
        return buffer.getvalue()

    yield line([*SUMMARY, "hash"])
    for one in scores:
        yield line([*_summary(one), one.hash])
