"""`efspec score`: what networks cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_table
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    OutputOption,
    SetOption,
    SizeOption,
    SpecArguments,
    changes,
)
from efspec.errors import Diagnostic, EfspecError

if TYPE_CHECKING:
    from efspec.cost import LatencySource, Mes, Row, Score
    from efspec.plan import Plan


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
    app.command("score")(score)


def score(
    specs: SpecArguments,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="MS", help="Latency of the network, if known; gives the MES."
        ),
    ] = None,
    mes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Constants of the MES, instead of the paper's."),
    ] = None,
    by: Annotated[
        By | None, typer.Option(help="Split the cost; a single spec is split by stage anyway.")
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
    """
    from efspec.cost import given

    chosen = format_ or (Format.json if json_ else Format.table)
    if latency_ms is not None and (len(specs) > 1 or str(input_format) == "jsonl"):
        raise typer.BadParameter("--latency-ms is the latency of one network: give one spec")
    if latency_ms == 0:
        raise typer.BadParameter("a latency is above 0", param_hint="--latency-ms")
    if by and chosen in (Format.csv, Format.jsonl):
        raise typer.BadParameter("--by goes with a table or with --json", param_hint="--by")
    source = given(latency_ms) if latency_ms is not None else None
    constants = _constants(mes) if source else None
    scored = _scores(specs, changes(set_, size), input_format, source, constants)
    if chosen is Format.jsonl and sort is Sort.given:
        _write(output, (json.dumps(one.as_dict()) for _, one in scored))
        return
    pairs = _sorted(list(scored), sort)
    many = len(pairs) != 1 or any(s.endswith(".jsonl") for s in specs) or input_format == "jsonl"
    scores = [one for _, one in pairs]
    match chosen:
        case Format.json:
            shown = [one.as_dict() | _split(plan, by) for plan, one in pairs]
            _write(output, [json.dumps(shown if many else shown[0], indent=2)])
        case Format.jsonl:
            _write(output, (json.dumps(one.as_dict()) for one in scores))
        case Format.csv:
            _write(output, _csv(scores))
        case Format.table:
            if output is not None:
                raise typer.BadParameter("-o goes with --json or --format", param_hint="-o")
            if many:
                _print_comparison(scores)
            for plan, one in pairs:
                if by or not many:
                    _print_one(plan, one, by or By.stage)


def _scores(
    specs: list[str],
    sets: tuple[str, ...],
    input_format: str | None,
    source: LatencySource | None,
    constants: Mes | None,
) -> Iterator[tuple[Plan, Score]]:
    """Plan and score of each spec; wrong ones are collected and raised at the end."""
    from efspec.cost import score as score_plan
    from efspec.spec.loader import load_all
    from efspec.spec.resolve import resolve

    wrong: list[Diagnostic] = []
    for name in specs:
        for loaded in load_all(name, set=sets, input_format=input_format):
            try:
                if isinstance(loaded, EfspecError):
                    raise loaded
                plan = resolve(loaded)
            except EfspecError as error:
                wrong += error.diagnostics
            else:
                yield plan, score_plan(plan, source, constants)
    if wrong:
        raise EfspecError(wrong)


def _constants(file: Path | None) -> Mes:
    from efspec.api import load_mes

    return load_mes(file)


def _sorted(pairs: list[tuple[Plan, Score]], sort: Sort) -> list[tuple[Plan, Score]]:
    match sort:
        case Sort.given:
            return pairs
        case Sort.name:
            return sorted(pairs, key=lambda pair: pair[1].name)
        case Sort.params:
            return sorted(pairs, key=lambda pair: pair[1].params)
        case Sort.macs:
            return sorted(pairs, key=lambda pair: pair[1].macs)
        case Sort.memory:
            return sorted(pairs, key=lambda pair: pair[1].activation_bytes_peak)
        case Sort.mes:
            return sorted(pairs, key=lambda pair: -(pair[1].mes or 0.0))


def _split(plan: Plan, by: By | None) -> dict[str, object]:
    """Rows that a score does not hold by itself."""
    from dataclasses import asdict

    if by is By.op or by is By.kind:
        return {f"{by}s": [asdict(row) for row in _rows(plan, None, by)]}
    return {}


def _rows(plan: Plan, one: Score | None, by: By) -> list[Row]:
    from efspec.cost.report import kind_rows, op_rows

    match by:
        case By.stage:
            return list(one.stages) if one else []
        case By.block:
            return list(one.blocks) if one else []
        case By.op:
            return op_rows(plan)
        case By.kind:
            return kind_rows(plan)


def _summary(one: Score) -> list[Cell]:
    values = one.as_dict() | {"input": "x".join(map(str, one.input))}
    return [values[column] for column in SUMMARY]  # type: ignore[misc]


def _print_comparison(scores: list[Score]) -> None:
    known = [
        i for i, column in enumerate(SUMMARY) if any(_summary(s)[i] is not None for s in scores)
    ]
    columns = [SUMMARY[i].replace("activation_bytes_peak", "peak_bytes") for i in known]
    print_table(columns, [[_summary(one)[i] for i in known] for one in scores])


def _print_one(plan: Plan, one: Score, by: By) -> None:
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
    rows = _rows(plan, one, by)
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


def _csv(scores: list[Score]) -> Iterator[str]:
    import csv
    import io

    def line(cells: list[Cell]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow("" if c is None else c for c in cells)
        return buffer.getvalue()

    yield line([*SUMMARY, "hash"])
    for one in scores:
        yield line([*_summary(one), one.hash])


def _write(output: Path | None, lines: Iterator[str] | list[str]) -> None:
    from efspec.cli.files import write_lines

    write_lines(output, lines)
