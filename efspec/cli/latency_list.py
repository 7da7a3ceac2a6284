"""`efspec latency list`: the parts that networks have, and what a device knows of them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from efspec.cli.console import Cell, Milliseconds, print_table
from efspec.cli.latency_specs import parts_of, read_plans
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    SpecArguments,
    is_space,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", short_help="List the parts that networks have.")(list_)


def list_(
    specs: SpecArguments,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Say of each part what a device's table knows."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Of the device, count measured latencies only.")
    ] = False,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """List the parts that networks have, each by the key that tables keep its latency under.

    Parts that are the same to a device have the same key, in whatever network they are. The list
    says how often each is there in all of the networks together.

    Of a search space, such as v2, all parts are listed that any of its members has.

    With a device, each part has its latency, and how it is known: the method of its row,
    interpolated between rows, fitted by the table's model, or missing.
    """
    from efspec.cost.latency import milliseconds

    found = parts_of(read_plans(specs, set_, size, input_format))
    # Of a space it says nothing how often the few members have a part that stand for all.
    counts = {key: None if any(map(is_space, specs)) else one.count for key, one in found.items()}
    if device is None:
        if json_:
            listed = [{"key": key.text, "count": count} for key, count in counts.items()]
            typer.echo(json.dumps(listed, indent=2))
            return
        rows: list[list[Cell]] = [[key.text, count] for key, count in counts.items()]
        print_table(["part", "times"], rows, f"{len(rows):,} kinds of parts")
        return
    from efspec.latency.devices import device_source

    source = device_source(device, strict=strict)
    known = {key: source.of_part(one.plan, one.part) for key, one in found.items()}
    if json_:
        objects = [
            {
                "key": key.text,
                "count": counts[key],
                "method": figure.method if figure else None,
                "p50_ns": figure.p50_ns if figure else None,
            }
            for key, figure in known.items()
        ]
        typer.echo(json.dumps(objects, indent=2))
        return
    rows = []
    for key, figure in known.items():
        ms = Milliseconds(milliseconds(figure.p50_ns)) if figure else None
        rows.append([key.text, counts[key], ms, figure.method if figure else "missing"])
    missing = sum(figure is None for figure in known.values())
    title = f"{len(rows):,} kinds of parts, {missing:,} of them missing"
    print_table(["part", "times", "ms", "known"], rows, title)
