"""`efspec score`: what networks cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import print_count, print_notes, ticking
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
    of_each,
)
from efspec.cli.plot import PlotOption, XOption, YOption, chart, collected, write_plot
from efspec.errors import EfspecError

if TYPE_CHECKING:
    from efspec.cli.scores import Scored
    from efspec.cost import LatencySource, Mes, Row, Score
    from efspec.plan import Plan
    from efspec.spec.merge import Option
    from efspec.spec.schema import NetworkSpec


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
    parquet = "parquet"


class Sort(StrEnum):
    """What to sort a comparison by."""

    given = "given"
    name = "name"
    params = "params"
    macs = "macs"
    memory = "memory"
    latency = "latency"
    mes = "mes"


class Precision(StrEnum):
    """What a table's latencies may be of."""

    fp16 = "fp16"
    fp32 = "fp32"
    int8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", short_help="Count parameters, MACs and memory; rate by MES.")(score)


def score(
    specs: SpecArguments,
    latency_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Latency of the network, if known; gives the MES."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Take latencies of a device: shipped, or of a table."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Of the device, take measured latencies only.")
    ] = False,
    precision: Annotated[
        Precision | None, typer.Option(help="Demand that the device's table is of a precision.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, help="Images at a time that the device's table is to be of.")
    ] = 1,
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
    plot: PlotOption = None,
    x: XOption = None,
    y: YOption = None,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Count parameters, MACs and activation memory; with a latency or a device, the MES.

    Counts are exact, for any input size, and need no torch. MACs are the multiply-accumulates of
    convolutions, linears and matrix products. Folded parameters leave out batch norms and layer
    scales, and count both heads, as the papers do. Memory is that of activations at batch 1 in
    half precision.

    A device's latencies come from its table, part by part. Each says how it is known, and the
    whole says in which range it lies. What the table does not say is never guessed: it is an
    error that names the nearest row, and the command that measures what is missing.

    Several specs are compared, and those of JSON Lines (one spec per line), of which there may be
    millions: without --by, --sort and --json they are scored as they come and held nowhere. Wrong
    ones are reported and left out, and the exit code is 1.

    --json and --by give all figures of a network, --format jsonl, csv and parquet those of the
    whole: a line or row for each.

    --plot draws the specs by two of their figures, and the Pareto front: those that no other beats
    in both. It needs matplotlib.
    """
    many = len(specs) > 1 or is_stream(specs[0], input_format)
    chosen = _format(format_, json_)
    check_sources(specs)
    timed = latency_ms is not None or device is not None
    _check_latency(latency_ms, many)
    _check_device(latency_ms, device, strict=strict, precision=precision, batch=batch)
    _check_mes(mes, sort, timed)
    _check_output(chosen, by, output)
    plotted = chart(plot, x, y, timed=timed)
    source = _source(latency_ms, device, strict, precision, batch)
    constants = _constants(mes) if source else None
    sets = changes(set_, size)
    if not many:
        from efspec.spec.loader import load

        spec = load(specs[0], set=sets, input_format=input_format)
        scored = iter([_split(spec, by or By.stage, source, constants)])
        scored = collected(scored, plotted) if plotted else scored
        _print(scored, chosen, by, output, many=False)
        if plotted:
            write_plot(plotted)
        print_notes(_remarks(spec, source))
        return
    whole = by is None and chosen is not Format.json
    loaded = _Loaded(specs, sets, input_format)
    with ticking("specs") as tick:
        scored = loaded.scores(
            _summaries(source, constants)
            if whole
            else lambda spec: _split(spec, by or By.stage, source, constants)
        )
        scored = map(tick, scored)
        scored = collected(scored, plotted) if plotted else scored
        if sort is not Sort.given:
            scored = iter(_sorted(scored, sort))
        _print(scored, chosen, by, output, many=True)
    if plotted:
        write_plot(plotted)
    if loaded.mistakes:
        print_count(loaded.mistakes)
        raise typer.Exit(1)


class _Loaded:
    """The specs of some sources, one after the other; what is wrong is told as it comes."""

    def __init__(
        self, sources: list[str], options: tuple[Option, ...], input_format: InputFormat | None
    ) -> None:
        self.mistakes = 0
        self._sources, self._options, self._input_format = sources, options, input_format

    def scores(self, figures: Callable[[NetworkSpec], Scored]) -> Iterator[Scored]:
        """The figures of each spec that is right."""
        for scored in of_each(self._sources, self._options, self._input_format, figures):
            if isinstance(scored, EfspecError):
                self._tell(scored)
            else:
                yield scored

    def _tell(self, error: EfspecError) -> None:
        self.mistakes += len(error.diagnostics)
        for diagnostic in error.diagnostics:
            typer.echo(diagnostic.render(), err=True)


def _remarks(spec: NetworkSpec, source: LatencySource | None) -> list[str]:
    """What is to be said of how far the latencies of a network are to be believed."""
    if source is None:  # what follows takes time
        return []
    from efspec.latency import Device
    from efspec.spec.resolve import resolve

    return source.remarks(resolve(spec)) if isinstance(source, Device) else []


def _summaries(
    source: LatencySource | None, constants: Mes | None
) -> Callable[[NetworkSpec], Scored]:
    """What gives a spec's figures as a whole."""
    from efspec.batch import summarise

    return lambda spec: (summarise(spec, source, constants), [])


def _split(
    spec: NetworkSpec, by: By, source: LatencySource | None = None, constants: Mes | None = None
) -> Scored:
    """A spec's score, and its rows."""
    from efspec.cost import score
    from efspec.spec.resolve import resolve

    plan = resolve(spec)
    one = score(plan, source, constants)
    return one, _rows(plan, one, by)


def _print(
    scored: Iterator[Scored], chosen: Format, by: By | None, output: Path | None, *, many: bool
) -> None:
    from efspec.cli import scores

    match chosen:
        case Format.table if many:
            scores.print_comparison(scored, by)
        case Format.table:
            ((one, rows),) = scored
            scores.print_one(one, rows, by or By.stage)
        case Format.jsonl:
            write_lines(output, scores.json_lines(scored, by))
        case Format.csv:
            write_lines(output, scores.csv_lines(scored))
        case Format.json:
            write_lines(
                output, scores.json_list(scored, by) if many else scores.json_texts(scored, by)
            )
        case Format.parquet:
            assert output is not None  # checked
            scores.write_parquet(output, scored)


def _format(format_: Format | None, json_: bool) -> Format:
    if json_ and format_ not in (None, Format.json):
        raise typer.BadParameter("it contradicts --format", param_hint="--json")
    return format_ or (Format.json if json_ else Format.table)


def _check_output(chosen: Format, by: By | None, output: Path | None) -> None:
    if by and chosen in (Format.csv, Format.parquet):
        raise typer.BadParameter("it goes with a table or JSON", param_hint="--by")
    to_stdout = output is None or str(output) == "-"
    if chosen is Format.table and not to_stdout:
        raise typer.BadParameter("it goes with --json or --format", param_hint="-o")
    if chosen is Format.parquet and to_stdout:
        raise typer.BadParameter("a Parquet file needs a name: add -o FILE", param_hint="--format")


def _check_latency(latency_ms: float | None, many: bool) -> None:
    if latency_ms is None:
        return
    if many:
        raise typer.BadParameter(
            "it is the latency of one network: give one spec", param_hint="--latency-ms"
        )
    if not 0 < latency_ms < math.inf:
        raise typer.BadParameter("a latency is a number above 0", param_hint="--latency-ms")


def _check_device(
    latency_ms: float | None,
    device: str | None,
    *,
    strict: bool,
    precision: Precision | None,
    batch: int,
) -> None:
    if device is not None and latency_ms is not None:
        raise typer.BadParameter("it contradicts --latency-ms", param_hint="--device")
    if device is None:
        given = {"--strict": strict, "--precision": precision is not None, "--batch": batch != 1}
        for option in (name for name, there in given.items() if there):
            raise typer.BadParameter("it goes with --device", param_hint=option)


def _check_mes(mes: Path | None, sort: Sort, timed: bool) -> None:
    if timed:
        return
    if mes is not None:
        raise typer.BadParameter(
            "a MES needs a latency: add --device or --latency-ms", param_hint="--mes"
        )
    if sort in (Sort.mes, Sort.latency):
        raise typer.BadParameter(
            "there is none without a latency: add --device", param_hint="--sort"
        )


def _source(
    latency_ms: float | None,
    device: str | None,
    strict: bool,
    precision: Precision | None,
    batch: int,
) -> LatencySource | None:
    if device is not None:
        from efspec.latency import device_source

        wanted = precision.value if precision else None
        return device_source(device, strict=strict, precision=wanted, batch=batch)
    if latency_ms is not None:
        from efspec.cost import given

        return given(latency_ms)
    return None


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
        case Sort.latency:
            return sorted(scored, key=lambda pair: pair[0].latency_ms or 0.0)
        case Sort.mes:
            return sorted(scored, key=lambda pair: -(pair[0].mes or 0.0))


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
