"""`efspec diff`: what changes between two specs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, Signed, print_table
from efspec.cli.generate import DIFFERENCE
from efspec.cli.options import (
    InputFormat,
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    changes,
    check_sources,
    shipped_names,
)
from efspec.cost.compare import Delta, StageCosts, TotalCosts, compare_stages, compare_totals
from efspec.errors import Diagnostic, EfspecError
from efspec.record import Record
from efspec.spec.compare import Change, compare

if TYPE_CHECKING:
    from efspec.cost import Score
    from efspec.spec.merge import Option
    from efspec.spec.schema import NetworkSpec

    Scored = tuple[NetworkSpec, Score]


class Side(Record):
    """A network that is compared.

    Attributes:
        name: Name of the spec.
        hash: sha256 of the spec's resolved dump.
        input: Channels, height and width.
    """

    name: str
    hash: str
    input: tuple[int, int, int]


class Difference(Record):
    """What changes between two specs.

    Attributes:
        a: The first network.
        b: The second network.
        same: Whether nothing changes but names and descriptions.
        changes: What changes in structure, from the input to the head.
        totals: Costs of the whole networks.
        stages: Costs per stage, as the stages belong together.
    """

    a: Side
    b: Side
    same: bool
    changes: tuple[Change, ...]
    totals: TotalCosts
    stages: tuple[StageCosts, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("diff", short_help="Show what changes between two specs.")(diff)


def diff(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="The spec before: a path, a name such as v2_s0, or - for standard input.",
            autocompletion=shipped_names,
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="The spec after: a path, a name such as v2_s1, or - for standard input.",
            autocompletion=shipped_names,
        ),
    ],
    json_: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 3 if anything but names and descriptions changes.")
    ] = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Show what changes from spec A to spec B: parts and their options, and what that costs.

    Stages and blocks are aligned, so that a block put in between is one that was added. Defaults
    count where they are used, however they are written; names and descriptions do not count.
    --set and --size change both specs.
    """
    check_sources([a, b])
    first, second = _read([a, b], changes(set_, size), input_format)
    found = difference(first, second)
    if json_:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        _print(found)
    if check and not found.same:
        raise typer.Exit(DIFFERENCE)


def _read(
    sources: list[str], options: tuple[Option, ...], input_format: InputFormat | None
) -> list[Scored]:
    """The spec in each source, and its score.

    Raises:
        EfspecError: With every mistake of all of them.
    """
    from efspec.api import score
    from efspec.spec.loader import load

    found: list[Scored] = []
    wrong: list[Diagnostic] = []
    for source in sources:
        try:
            spec = load(source, set=options, input_format=input_format)
            found.append((spec, score(spec)))
        except EfspecError as error:
            wrong += error.diagnostics
    if wrong:
        raise EfspecError(wrong)
    return found


def difference(a: Scored, b: Scored) -> Difference:
    """What changes between two specs, each given with its score."""
    (spec, one), (other_spec, other) = a, b
    structure = compare(spec, other_spec)
    return Difference(
        a=_side(one),
        b=_side(other),
        same=not structure.changes,
        changes=structure.changes,
        totals=compare_totals(one, other),
        stages=compare_stages(one, other, structure.stages),
    )


def _side(score: Score) -> Side:
    return Side(name=score.name, hash=score.hash, input=score.input)


def _print(found: Difference) -> None:
    typer.echo(f"A: {_title(found.a)}\nB: {_title(found.b)}\n")
    if found.same:
        typer.echo("nothing changes")
        return
    rows: list[list[Cell]] = [list(row) for row in _structure_rows(found.changes)]
    print_table(["part", "what", "A", "B"], rows)
    typer.echo()
    totals = {name: getattr(found.totals, name) for name in TotalCosts.fields}
    cost_rows: list[list[Cell]] = [[name, *_cells(total)] for name, total in totals.items()]
    print_table(["cost", "A", "B", "change", "%"], cost_rows)
    typer.echo()
    stage_rows: list[list[Cell]] = [
        [_stage_name(stage), *_cells(stage.params), *_cells(stage.macs)] for stage in found.stages
    ]
    figures = [f"{of}{what}" for of in ("params ", "MACs ") for what in ("A", "B", "change", "%")]
    print_table(["stage", *figures], stage_rows)


def _title(side: Side) -> str:
    return f"{side.name}, input {'x'.join(map(str, side.input))}"


def _stage_name(stage: StageCosts) -> str:
    if stage.a is None or stage.b is None:
        return f"{stage.a} (removed)" if stage.a else f"{stage.b} (added)"
    return stage.a if stage.a == stage.b else f"{stage.a} -> {stage.b}"


def _cells(figure: Delta) -> list[Cell]:
    relative = None if figure.relative is None else Signed(100 * figure.relative)
    return [figure.a, figure.b, Signed(figure.change), relative]


def _structure_rows(changes: tuple[Change, ...]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each option that changes; equal changes of consecutive blocks are one."""
    for _, group in groupby(enumerate(changes), key=lambda pair: _key(*pair)):
        members = [change for _, change in group]
        where = _where(members[0], members[-1])
        one = members[0]
        if one.change != "changed":
            before, after = (_kind(one, path, type_) for path, type_ in _sides(one))
            yield where, one.change, before, after
            continue
        if one.type_a != one.type_b:
            yield where, "type", _text(one.type_a), _text(one.type_b)
        for option in one.options:
            yield where, option.name, _text(option.a), _text(option.b)


def _sides(change: Change) -> tuple[tuple[str | None, str | None], ...]:
    return (change.a, change.type_a), (change.b, change.type_b)


def _kind(change: Change, path: str | None, type_: str | None) -> str:
    """What there is on the side of a part that has it: its type, or a stage's width."""
    if path is None:
        return "-"
    if type_:
        return type_
    return ", ".join(
        f"{option.name} {_text(option.a if path == change.a else option.b)}"
        for option in change.options
    )


def _key(position: int, change: Change) -> object:
    """What is the same for equal changes of blocks that follow each other."""
    places = [_place(path) for path, _ in _sides(change)]
    runs = [(name, None if number is None else number - position) for name, number in places]
    options = change.options if change.change == "changed" else ()
    return change.change, change.type_a, change.type_b, options, runs


def _place(path: str | None) -> tuple[str, int | None]:
    """The path of a block's stage and the block's number; of other parts, the path alone."""
    parent, _, number = (path or "").rpartition(".")
    return (parent, int(number)) if parent.endswith(".blocks") else (path or "", None)


def _where(first: Change, last: Change) -> str:
    """The paths of a run of changes, in both specs if they differ."""
    ranges = [
        start if start == end or end is None else f"{start}-{_place(end)[1]}"
        for start, end in ((first.a, last.a), (first.b, last.b))
        if start is not None
    ]
    return " -> ".join(dict.fromkeys(ranges))


def _text(value: object) -> str:
    """A field's value as YAML writes it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)
