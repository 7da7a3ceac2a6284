"""How scores are printed and written: tables for people; JSON, CSV and Parquet for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from textwrap import indent

import typer

from efspec.cli.console import Cell, Milliseconds, print_rows, print_table
from efspec.cli.files import replaced
from efspec.cost import Row, Score, Summary
from efspec.extras import need

Scored = tuple[Summary, list[Row]]
"""What is known of a network as a whole, and its parts if they are wanted."""

PARQUET_ROWS = 65536
"""How many rows are held until they are written."""


def print_comparison(scored: Iterator[Scored], by: str | None) -> None:
    """A line for each network; then, if they are split, the parts of each."""
    first = next(scored, None)
    if first is None:
        typer.echo("no specs", err=True)
        return
    columns = [name for name in Summary.fields if name != "hash"]
    columns = [name for name in columns if getattr(first[0], name) is not None]
    held: list[Scored] = []

    def cells() -> Iterator[list[Cell]]:
        for pair in chain([first], scored):
            if by:
                held.append(pair)
            values = _cells(pair[0])
            yield [values[name] for name in columns]

    titles = [name.replace("activation_bytes_peak", "peak_bytes") for name in columns]
    print_rows(titles, cells())
    for one, rows in held:
        typer.echo()
        print_one(one, rows, by or "")


def print_one(one: Summary, rows: list[Row], by: str) -> None:
    """The figures of a network, and a table of its parts."""
    figures = [
        f"{one.name}, input {_size(one)}",
        f"  params         {one.params:>15,}",
        f"  params folded  {one.params_folded:>15,}   as the papers count",
        f"  MACs           {one.macs:>15,}",
        f"  peak memory    {one.activation_bytes_peak:>15,}   bytes of activations, batch 1, fp16",
    ]
    if one.latency_ms is not None:
        figures.append(f"  latency        {one.latency_ms:>15.3f}   ms{_how(one)}")
    if one.mes is not None:
        figures.append(f"  MES            {one.mes:>15.1f}")
    typer.echo("\n".join(figures) + "\n")
    timed = any(row.latency_ms is not None for row in rows)
    shaped = any(row.output for row in rows)
    columns = [by, *(["type"] if any(row.type for row in rows) else [])]
    columns += ["output"] * shaped + ["params", "folded", "MACs", "MACs %"]
    columns += ["ms", "known"] * timed
    table: list[list[Cell]] = []
    for row in rows:
        cells: list[Cell] = [row.name]
        cells += [row.type] if "type" in columns else []
        cells += ["x".join(map(str, row.output))] * shaped
        share = 100 * row.macs / one.macs if one.macs else 0.0
        cells += [row.params, row.params_folded, row.macs, share]
        cells += [_ms(row.latency_ms), row.method] if timed else []
        table.append(cells)
    fixed = one.latency_fixed_ms if isinstance(one, Score) and timed else None
    if fixed is not None:
        empty: list[Cell] = [None] * (len(columns) - 3)
        table.append(["the call", *empty, Milliseconds(fixed), None])
    print_table(columns, table)


def _ms(value: float | None) -> Milliseconds | None:
    return None if value is None else Milliseconds(value)


def _how(one: Summary) -> str:
    """How a latency is known, its range and the device."""
    if not isinstance(one, Score) or one.latency_range_ms is None:
        return ""
    low, high = one.latency_range_ms
    said = [f"on {one.device}"] if one.device else []
    said += [f"{low:.3f} to {high:.3f}"] if low < high else []
    said += [f"{share:.0%} {method}" for method, share in (one.coverage or {}).items()]
    return f", {', '.join(said)}"


def json_lines(scored: Iterable[Scored], by: str | None) -> Iterator[str]:
    """A score on each line."""
    import json

    return (json.dumps(_as_dict(*pair, by)) for pair in scored)


def json_texts(scored: Iterable[Scored], by: str | None) -> Iterator[str]:
    """Scores, each as a text of several lines."""
    import json

    return (json.dumps(_as_dict(*pair, by), indent=2) for pair in scored)


def json_list(scored: Iterable[Scored], by: str | None) -> Iterator[str]:
    """A list of scores, as `json.dumps(scores, indent=2)` has it, without holding all of them."""
    before = ""
    for text in json_texts(scored, by):
        yield f"{before}," if before else "["
        before = indent(text, "  ")
    yield f"{before}\n]" if before else "[]"


def csv_lines(scored: Iterable[Scored]) -> Iterator[str]:
    """A header, and a line for each score."""
    import csv
    from types import SimpleNamespace

    line = csv.writer(SimpleNamespace(write=str), lineterminator="").writerow
    yield line(Summary.fields)
    for one, _ in scored:
        yield line(_cells(one).values())


def write_parquet(output: Path, scored: Iterable[Scored]) -> None:
    """Write a Parquet file with a row for each score.

    Raises:
        EfspecError: When pyarrow is not installed.
    """
    need("Parquet files need", "pyarrow", extra="parquet")
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    types = {"name": pa.string(), "input": pa.string(), "hash": pa.string()}
    types |= dict.fromkeys(("latency_ms", "mes"), pa.float64())
    schema = pa.schema([(name, types.get(name, pa.int64())) for name in Summary.fields])
    rows = (_cells(one) for one, _ in scored)
    with replaced(output) as temporary, ParquetWriter(temporary, schema) as writer:
        while some := list(islice(rows, PARQUET_ROWS)):
            writer.write_table(pa.Table.from_pylist(some, schema))


def _cells(one: Summary) -> dict[str, Cell]:
    """The figures of the whole, the input as text."""
    cells = {name: getattr(one, name) for name in Summary.fields}
    cells["input"] = _size(one)
    return cells


def _size(one: Summary) -> str:
    return "x".join(map(str, one.input))


def _as_dict(one: Summary, rows: list[Row], by: str | None) -> dict[str, object]:
    """A score, and the split that it does not hold by itself."""
    split = {f"{by}s": [row.as_dict() for row in rows]} if by in ("op", "kind") else {}
    return one.as_dict() | split
