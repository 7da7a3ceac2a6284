"""`efspec search sample`: random members of a space, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efspec.cli.console import ticking
from efspec.cli.files import replaced, write_lines
from efspec.cli.search_space import DeviceOption, SeedOption, SpaceArgument, compiled_for
from efspec.extras import need

if TYPE_CHECKING:
    from efspec.search import Candidates, CompiledSpace
    from efspec.spec.space import SpaceSpec

FORMS = (".csv", ".jsonl", ".parquet")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sample", short_help="Write random members of a space.")(sample)


def sample(
    space: SpaceArgument,
    count: Annotated[
        str, typer.Option("-n", "--count", metavar="N", help="How many; 1e6 is a million.")
    ] = "1000",
    device: DeviceOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A .csv, .jsonl or .parquet file; or standard output, as CSV.",
        ),
    ] = None,
    specs: Annotated[
        bool, typer.Option("--specs", help="Write whole specs, as JSON Lines, and no figures.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Write random members of a space: what is chosen of each stage, and what they cost.

    Each width, depth and ratio is drawn by itself, all equally likely; so members are not, and some
    may come twice. The space's constraints are not looked at. Any number may be drawn: memory is
    that of a few.

    With --specs, members are specs that every command takes, such as `efspec score FILE.jsonl`.
    """
    from efspec.spec.spaces import read_space

    to_file = output is not None and str(output) != "-"
    if to_file and output is not None and output.suffix not in FORMS:
        raise typer.BadParameter(f"a file ends in {', '.join(FORMS)}", param_hint="-o")
    if specs and to_file and output is not None and output.suffix != ".jsonl":
        raise typer.BadParameter("specs are written as .jsonl", param_hint="--specs")
    if specs and device is not None:
        raise typer.BadParameter("specs have no figures", param_hint="--device")
    wanted = _count(count)
    read = read_space(space)
    with ticking("networks") as tick:
        if specs:
            write_lines(output, map(tick, _specs(read, wanted, seed)))
            return
        rows = map(tick, _rows(compiled_for(read, device), wanted, seed))
        if not to_file or output is None or output.suffix == ".csv":
            write_lines(output, _csv(rows))
        elif output.suffix == ".jsonl":
            write_lines(output, (json.dumps(row) for row in rows))
        else:
            _write_parquet(output, rows)


def _count(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (number >= 0 and number == int(number)):
        raise typer.BadParameter(f"{text!a} is no number of networks", param_hint="-n")
    return int(number)


def _specs(space: SpaceSpec, count: int, seed: int) -> Iterator[str]:
    from efspec.search.arrays import samples
    from efspec.spec.candidates import member
    from efspec.spec.dump import dump

    number = 0
    for some in samples(space, count, seed):
        for candidate in some.each(space):
            spec = member(space, candidate, f"{space.name}_{number}")
            yield dump(spec, format="json").rstrip("\n")
            number += 1


def _rows(compiled: CompiledSpace, count: int, seed: int) -> Iterator[dict[str, Any]]:
    from efspec.search.arrays import samples

    for some in samples(compiled.space, count, seed):
        columns = _choices(compiled.space, some)
        figures = compiled.figures(some, peak=True).columns()
        columns |= {name: values.tolist() for name, values in figures.items()}
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))


def _choices(space: SpaceSpec, some: Candidates) -> dict[str, list[Any]]:
    """What is chosen of each stage, a column for each."""
    columns: dict[str, list[Any]] = {}
    candidates = list(some.each(space))
    for i in range(len(space.stages)):
        stages = [candidate.stages[i] for candidate in candidates]
        columns[f"width_{i}"] = [stage.width for stage in stages]
        columns[f"depth_{i}"] = [stage.depth for stage in stages]
        columns[f"attention_{i}"] = [stage.attention_depth for stage in stages]
        ratios = [stage.expansion_ratio for stage in stages]
        columns[f"ratios_{i}"] = [" ".join(f"{ratio:g}" for ratio in own) for own in ratios]
    return columns


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    header = ""
    for row in rows:
        if not header:
            header = ",".join(row)
            yield header
        yield ",".join(map(str, row.values()))


def _write_parquet(output: Path, rows: Iterator[dict[str, Any]]) -> None:
    from itertools import islice

    need("Parquet files need", "pyarrow", extra="parquet")
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    from efspec.search.arrays import DRAWN

    first = list(islice(rows, DRAWN))
    table = pa.Table.from_pylist(first)
    with replaced(output) as temporary, ParquetWriter(temporary, table.schema) as writer:
        writer.write_table(table)
        while some := list(islice(rows, DRAWN)):
            writer.write_table(pa.Table.from_pylist(some, table.schema))
