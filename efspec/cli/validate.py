"""`efspec validate`: every mistake of specs and search spaces, at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    is_space,
    of_each,
)
from efspec.errors import Diagnostic, EfspecError

if TYPE_CHECKING:
    from efspec.spec.merge import Option
    from efspec.spec.space import SpaceSpec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate", short_help="Check specs and spaces, and report every mistake.")(
        validate
    )


def validate(
    specs: SpecArguments,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Check specs and search spaces, and report every mistake with its place and a likely fix.

    Of a space, the smallest member and the largest are built, and others with every kind of block.

    With --json: a list of objects with name, message, field, expected, fix, file, line, column
    and source, empty when all is well. Exit code 1 when there is a mistake.
    """
    from efspec.spec.resolve import resolve

    check_sources(specs)
    options = changes(set_, size)
    wrong: list[Diagnostic] = []
    good: Counter[str] = Counter()
    for source in specs:
        results: Iterator[object]
        if is_space(source):
            kind, results = "space", _space(source, options)
        else:
            kind, results = "spec", of_each([source], options, input_format, resolve)
        for result in results:
            if isinstance(result, EfspecError):
                wrong += result.diagnostics
            else:
                good[kind] += 1
    if json_:
        typer.echo(json.dumps([diagnostic.as_dict() for diagnostic in wrong], indent=2))
    elif wrong:
        print_error(EfspecError(wrong))
    else:
        typer.echo(_valid(good))
    if wrong:
        raise typer.Exit(1)


def _space(source: str, options: tuple[Option, ...]) -> Iterator[SpaceSpec | EfspecError]:
    """A space, or what is wrong with it.

    Raises:
        BadParameter: When it is to be changed.
    """
    from efspec.spec.spaces import read_space

    if options:
        raise typer.BadParameter(f"--set and --size change specs, and {source} is a space")
    try:
        yield read_space(source)
    except EfspecError as error:
        yield error


def _valid(counts: Counter[str]) -> str:
    """How many are valid, as in `2 specs and 1 space are valid`."""
    from efspec.blocks.options import counted

    total = counts.total()
    kinds = [counted(counts[kind], kind) for kind in ("spec", "space") if counts[kind]]
    return f"{' and '.join(kinds) or '0 specs'} {'is' if total == 1 else 'are'} valid"
