"""`efspec show`: what a spec resolves to."""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_table
from efspec.cli.files import write_lines
from efspec.cli.options import (
    DeployOption,
    InputFormatOption,
    OutputOption,
    SetOption,
    SizeOption,
    SpecArgument,
    read_plan,
)
from efspec.record import Record

if TYPE_CHECKING:
    from efspec.deploy import Done
    from efspec.plan import Part, Plan, Shape


class Format(StrEnum):
    """How to show a network."""

    tree = "tree"
    table = "table"
    json = "json"
    svg = "svg"
    mermaid = "mermaid"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show", short_help="Show the parts and shapes of a network.")(show)


def show(
    spec: SpecArgument,
    format_: Annotated[Format, typer.Option("--format", help="How to show it.")] = Format.tree,
    output: OutputOption = None,
    deploy: DeployOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Show the network that a spec resolves to: its parts, shapes and changes of representation.

    The tree joins equal blocks; the table has a line for each part; json has every op with its
    id, shapes and tensors. svg is a diagram to print or to put on a page, light or dark as the
    page is; mermaid is one for Markdown. The same spec gives the same bytes.

    With --deploy it is the network that is exported; the tree, the table and json then say how
    many ops there are before and after each pass.
    """
    from efspec.plan import parts

    if output is not None and format_ in (Format.tree, Format.table):
        raise typer.BadParameter(
            "what it writes needs --format json, svg or mermaid", param_hint="-o"
        )

    plan = read_plan(spec, set_, size, input_format)
    done: tuple[Done, ...] = ()
    if deploy:
        from efspec.deploy import deploy as rewrite

        deployed = rewrite(plan)
        plan, done = deployed.plan, deployed.done
    match format_:
        case Format.tree:
            _print_tree(plan, parts(plan))
            _print_passes(done)
        case Format.table:
            rows: list[list[Cell]] = [
                [part.path, part.type, _sizes(part.input), _sizes(part.output), _options(part)]
                for part in parts(plan)
            ]
            print_table(["part", "type", "input", "output", "options"], rows, _title(plan))
            _print_passes(done)
        case Format.json:
            write_lines(output, json.dumps(as_dict(plan) | _passes(done), indent=2).splitlines())
        case Format.svg:
            from efspec.diagram import svg

            write_lines(output, svg(plan).splitlines())
        case Format.mermaid:
            from efspec.diagram import mermaid

            write_lines(output, mermaid(plan).splitlines())


def as_dict(plan: Plan) -> dict[str, object]:
    """A plan for programs: parts in order, and in each its ops."""
    from efspec.plan import ops_by_part, parts

    by_part = ops_by_part(plan)
    return {
        "name": plan.name,
        "description": plan.description,
        "hash": plan.hash,
        "input": plan.input,
        "parts": [
            {
                "path": part.path,
                "type": part.type,
                "stage": part.stage,
                "input": part.input.sizes,
                "output": part.output.sizes,
                "arguments": dict(part.module.arguments) if part.module else {},
                "ops": [
                    {
                        "id": placed.id,
                        "op": type(placed.op).__name__,
                        "inputs": [shape.sizes for shape in placed.input_shapes],
                        "outputs": [shape.sizes for shape in placed.output_shapes],
                        "parameters": {
                            placed.prefix + name: shape
                            for name, shape in placed.op.parameters().items()
                        },
                    }
                    for placed in by_part[part.path]
                ],
            }
            for part in parts(plan)
        ],
    }


def _print_tree(plan: Plan, parts: list[Part]) -> None:
    typer.echo(_title(plan))
    for stage, members in groupby(parts, key=lambda part: part.stage):
        group = list(members)
        if stage is None:
            for part in group:
                typer.echo(f"  {part.path:<10} {_line(part, 1)}")
            continue
        typer.echo(f"  stage {stage}    {_sizes(group[-1].output)}")
        runs = [list(run) for _, run in groupby(group, key=_alike)]
        for i, run in enumerate(runs):
            branch = "`--" if i == len(runs) - 1 else "|--"
            first, last = (part.path.split(".", 2)[2] for part in (run[0], run[-1]))
            name = first if len(run) == 1 else f"{first}-{last.rpartition('.')[2]}"
            typer.echo(f"    {branch} {name:<12} {_line(run[0], len(run))}")


def _print_passes(done: tuple[Done, ...]) -> None:
    if done:
        rows: list[list[Cell]] = [[d.name.replace("_", " "), d.before, d.after] for d in done]
        typer.echo()
        print_table(["pass", "ops before", "after"], rows)


def _passes(done: tuple[Done, ...]) -> dict[str, object]:
    return {"passes": [one.as_dict() for one in done]} if done else {}


def _alike(part: Part) -> tuple[str, str, Shape]:
    return part.type, _options(part), part.input


def _line(part: Part, count: int) -> str:
    times = f"{count} x " if count > 1 else ""
    options = _options(part)
    return f"{times}{part.type}  {_sizes(part.input)} -> {_sizes(part.output)}" + (
        f"  {options}" if options else ""
    )


def _options(part: Part) -> str:
    """What the part was made with, less its input's shape, defaults and drop-path rates."""
    if part.module is None:
        return ""
    given = {**dict(part.module.variant), **part.module.arguments}
    hidden = {"dim", "height", "width", "input", "out_dim", "drop_path"}
    defaults = part.module.block.defaults()
    return ", ".join(
        f"{name} {value}"
        for name, value in given.items()
        if name not in hidden
        and defaults.get(name, object()) != value
        and not isinstance(value, Record)
    )


def _title(plan: Plan) -> str:
    size = "x".join(map(str, plan.input))
    return f"{plan.name}, input {size}" + (f": {plan.description}" if plan.description else "")


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape.sizes))
