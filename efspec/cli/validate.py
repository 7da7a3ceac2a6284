"""`efspec validate`: every mistake of specs, at once."""

from __future__ import annotations

import json

import typer

from efspec.cli.console import print_error
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    SpecArguments,
    changes,
    check_sources,
    of_each,
)
from efspec.errors import Diagnostic, EfspecError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate", short_help="Check specs, and report every mistake.")(validate)


def validate(
    specs: SpecArguments,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Check specs, and report every mistake with its place and a likely fix.

    With --json: a list of objects with name, message, field, expected, fix, file, line, column
    and source, empty when all is well. Exit code 1 when there is a mistake.
    """
    from efspec.spec.resolve import resolve

    check_sources(specs)
    wrong: list[Diagnostic] = []
    good = 0
    for result in of_each(specs, changes(set_, size), input_format, resolve):
        if isinstance(result, EfspecError):
            wrong += result.diagnostics
        else:
            good += 1
    if json_:
        typer.echo(json.dumps([diagnostic.as_dict() for diagnostic in wrong], indent=2))
    elif wrong:
        print_error(EfspecError(wrong))
    else:
        typer.echo(f"{good} {'spec is' if good == 1 else 'specs are'} valid")
    if wrong:
        raise typer.Exit(1)
