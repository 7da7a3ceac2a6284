"""`efspec schema`: JSON Schemas of what efspec reads and prints."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from efspec.cli.generate import DIFFERENCE, check_text
from efspec.errors import fail, suggestion
from efspec.record import Record

if TYPE_CHECKING:
    from pydantic import BaseModel


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema", short_help="Print or write the JSON Schemas.")(schema)


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one, such as network.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write all into a folder.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 3 if a file in -o is out of date.")
    ] = False,
) -> None:
    """Print or write the JSON Schemas; without arguments, list them.

    Editors complete and check a spec whose first line is
    `# yaml-language-server: $schema=PATH/network.schema.json`.
    """
    from efspec.cli.files import write_lines

    if str(output) == "-":
        raise typer.BadParameter(
            "it is a folder's name; without it, text is printed", param_hint="-o"
        )
    if check and output is None:
        raise typer.BadParameter("it compares with a folder: name it with -o", param_hint="--check")
    texts = all_schemas()
    if name is not None:
        file = f"{name.removesuffix('.schema.json')}.schema.json"
        if file not in texts:
            raise fail(
                "no-such-schema",
                f"there is no schema `{name}`",
                expected=", ".join(text.removesuffix(".schema.json") for text in texts),
                fix=suggestion(name, [text.removesuffix(".schema.json") for text in texts]),
            )
        texts = {file: texts[file]}
    if output is None:
        for file, text in texts.items():
            typer.echo(text.rstrip("\n") if name else file.removesuffix(".schema.json"))
        return
    if check:
        different = False
        for file, text in texts.items():
            try:
                check_text(output / file, text)
            except typer.Exit:
                different = True
        if different:
            raise typer.Exit(DIFFERENCE)
        return
    output.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        write_lines(output / file, text.splitlines())


def all_schemas() -> dict[str, str]:
    """Text of each published schema by its file name."""
    from efspec.cost import Row, Score, Summary
    from efspec.latency import DeviceTable
    from efspec.latency.points import PointsSpec
    from efspec.spec.json_schema import file_schema, schemas
    from efspec.spec.plugins import look_for
    from efspec.train.recipe import RecipeSpec

    for mistake in look_for().mistakes():
        typer.echo(mistake.render(), err=True)
    row = _record_schema(Row)
    score = _record_schema(Score, Row)
    for by in ("op", "kind"):
        rows = {"description": f"Figures per {by}, with --by {by}.", "type": "array"}
        score["properties"][f"{by}s"] = {**rows, "items": {"$ref": "#/$defs/Row"}}
    one = {"$ref": "#/$defs/Score"}
    line = {"$ref": "#/$defs/Summary"}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "efspec score",
        "description": "What `efspec score --json` prints: a score, or a list of them; and what a "
        "line of `--format jsonl` holds.",
        "anyOf": [one, {"type": "array", "items": one}, line],
        "$defs": {
            "Row": row,
            "Score": score,
            "Summary": {**_record_schema(Summary), "additionalProperties": False},
        },
    }
    own = {
        "device.schema.json": file_schema(DeviceTable, "efspec device"),
        "diff.schema.json": _diff_schema(),
        "lint.schema.json": _lint_schema(),
        "points.schema.json": file_schema(PointsSpec, "efspec points"),
        "recipe.schema.json": file_schema(RecipeSpec, "efspec recipe"),
        "score.schema.json": whole,
    }
    return {**schemas(), **{name: json.dumps(one, indent=2) + "\n" for name, one in own.items()}}


def _diff_schema() -> dict[str, Any]:
    from efspec.cli.diff import Difference, Side
    from efspec.cost.compare import Delta, StageCosts, TotalCosts
    from efspec.spec.compare import Change, Option

    parts = (Side, Option, Change, Delta, TotalCosts, StageCosts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "efspec diff",
        **_record_schema(Difference, *parts),
        "$defs": {part.__name__: _record_schema(part, *parts[:i]) for i, part in enumerate(parts)},
    }


def _lint_schema() -> dict[str, Any]:
    from efspec.cli.lint import Linted
    from efspec.lint.rule import Finding, Gain

    parts = (Gain, Finding)
    one = _record_schema(Linted, *parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "efspec lint",
        "description": "What `efspec lint --json` prints: what was found in a network, or a list.",
        "anyOf": [
            {"$ref": "#/$defs/Linted"},
            {"type": "array", "items": {"$ref": "#/$defs/Linted"}},
        ],
        "$defs": {
            "Linted": one,
            **{part.__name__: _record_schema(part, *parts[:i]) for i, part in enumerate(parts)},
        },
    }


def _record_schema(record: type[Record], *others: type[Record]) -> dict[str, Any]:
    """The JSON Schema of a record's `as_dict`; other records in it are references.

    Args:
        record: The record.
        others: The records in it, and before each the records in that.
    """
    from pydantic import create_model

    def model(record: type[Record], scope: dict[str, Any]) -> type[BaseModel]:
        hints = get_type_hints(record, localns=scope)
        fields: dict[str, Any] = {name: hints[name] for name in record.fields}
        return create_model(record.__name__, **fields)

    scope: dict[str, Any] = {}
    for other in others:
        scope[other.__name__] = model(other, scope)
    schema = model(record, scope).model_json_schema(mode="serialization")
    schema.pop("$defs", None)
    del schema["title"]
    properties = schema["properties"]
    for name, text in _attributes(record).items():
        properties[name].pop("title", None)
        properties[name] = {"description": text, **properties[name]}
    return {"description": inspect.cleandoc(record.__doc__ or "").partition("\n\n")[0], **schema}


def _attributes(record: type[Record]) -> dict[str, str]:
    """What docstrings say of a record's fields, those that it inherits first."""
    found: dict[str, str] = {}
    for base in reversed(record.__mro__):
        _, _, text = inspect.cleandoc(base.__doc__ or "").partition("\n\nAttributes:\n")
        if issubclass(base, Record):
            lines = inspect.cleandoc(text).replace("\n    ", " ").splitlines()
            found |= dict(line.split(": ", 1) for line in lines)
    return found
