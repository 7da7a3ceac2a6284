"""`efspec generate`: the source of a network."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from efspec.cli.options import (
    DeployOption,
    InputFormatOption,
    OutputOption,
    SetOption,
    SizeOption,
    SpecArgument,
    read_plan,
)

DIFFERENCE = 3
"""Exit code of a check that found a difference."""
MAX_READ = 1 << 16
"""How much is read of a file, in bytes, besides twice what it should hold."""
MAX_SHOWN = 60
"""How many lines of a difference are shown."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("generate", short_help="Write a standalone PyTorch file.")(generate)


def generate(
    spec: SpecArgument,
    output: OutputOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 3 if the file is not what it would be."),
    ] = False,
    templates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Templates that replace the shipped ones of their name."),
    ] = None,
    deploy: DeployOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Write a standalone PyTorch file that imports only torch.

    The same spec gives the same bytes. Put `efspec generate SPEC -o FILE --check` into CI to keep
    a file and its spec together.
    """
    from efspec.api import generate as generate_source
    from efspec.cli.files import write_lines

    if check and (output is None or str(output) == "-"):
        raise typer.BadParameter("it compares with a file: name it with -o", param_hint="--check")
    plan = read_plan(spec, set_, size, input_format)
    source = generate_source(plan, templates=templates, deploy=deploy)
    if not check:
        write_lines(output, source.splitlines())
        return
    if output is not None:
        check_text(output, source)


def check_text(file: Path, expected: str) -> None:
    """Compare a file with what it should hold; on a difference show it and exit with 3.

    Raises:
        Exit: When they differ, or the file does not exist.
        OSError: When it cannot be read.
    """
    if not file.exists():
        typer.echo(f"{file} does not exist", err=True)
        raise typer.Exit(DIFFERENCE)
    wanted_bytes = expected.encode()
    with file.open("rb") as stream:  # of what is far larger, enough is read to say so
        found = stream.read(2 * len(wanted_bytes) + MAX_READ)
    if found == wanted_bytes:
        return
    lines = found.decode(errors="replace").splitlines(keepends=True)
    wanted = expected.splitlines(keepends=True)
    changes = list(difflib.unified_diff(lines, wanted, str(file), "generated"))
    for line in changes[:MAX_SHOWN]:
        typer.echo(line.rstrip("\r\n"), err=True)
    if len(changes) > MAX_SHOWN:
        typer.echo(f"... and {len(changes) - MAX_SHOWN:,} more lines", err=True)
    typer.echo(f"{file} differs from what its source says", err=True)
    raise typer.Exit(DIFFERENCE)
