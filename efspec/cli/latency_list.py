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

    With a device, each part has its latency, and how it is known: the method of its row,
    interpolated between rows, or missing.
    """
    from efspec.cost.latency import milliseconds

    found = parts_of(read_plans(specs, set_, size, input_format))
    if device is None:
        if json_:
            listed = [{"key": key.text, "count": one.count} for key, one in found.items()]
            typer.echo(json.dumps(listed, indent=2))
            return
        rows: list[list[Cell]] = [[key.text, one.count] for key, one in found.items()]
        print_table(["part", "times"], rows, f"{len(rows):,} kinds of parts")
        return
    from efspec.latency.devices import device_source

    source = device_source(device, strict=strict)
    known = {key: source.figure(key) for key in found}
    if json_:
        objects = [
            {
                "key": key.text,
                "count": one.count,
                "method": figure.method if (figure := known[key]) else None,
                "p50_ns": figure.p50_ns if figure else None,
            }
            for key, one in found.items()
        ]
        typer.echo(json.dumps(objects, indent=2))
        return
    rows = []
    for key, one in found.items():
        figure = known[key]
        ms = Milliseconds(milliseconds(figure.p50_ns)) if figure else None
        rows.append([key.text, one.count, ms, figure.method if figure else "missing"])
    missing = sum(figure is None for figure in known.values())
    title = f"{len(rows):,} kinds of parts, {missing:,} of them missing"
    print_table(["part", "times", "ms", "known"], rows, title)
