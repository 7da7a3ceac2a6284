"""Arguments and options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from efspec.errors import EfspecError, fail

if TYPE_CHECKING:
    from efspec.plan import Plan
    from efspec.spec.merge import Option
    from efspec.spec.schema import NetworkSpec

ResultT = TypeVar("ResultT")


class InputFormat(StrEnum):
    """How a spec is written."""

    yaml = "yaml"
    json = "json"
    jsonl = "jsonl"


def shipped_names(incomplete: str) -> list[str]:
    """Names of shipped specs that begin as a word does, for shell completion."""
    from efspec.resources import shipped_specs

    return [name for name in shipped_specs() if name.startswith(incomplete)]


SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A spec: a path, the name of a shipped spec such as v2_s1, or - for standard input.",
        autocompletion=shipped_names,
    ),
]
SpecArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC",
        help="Specs: paths, names of shipped specs such as v2_s1, or - for standard input.",
        autocompletion=shipped_names,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field, as in --set stages.2.width=128; may be repeated.",
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Input size: 256, or 384x512 for height by width."),
]
InputFormatOption = Annotated[
    InputFormat | None,
    typer.Option(help="How the input is written; by default its name tells, and - is YAML."),
]
FromSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Input size that the checkpoint was trained at, where it is not told by its weights.",
    ),
]
NewHeadOption = Annotated[
    bool,
    typer.Option(
        "--new-head", help="Give the linear heads initial weights: for other classes, say."
    ),
]
DeployOption = Annotated[
    bool,
    typer.Option(
        "--deploy", help="The leaner network that computes the same in inference, as exported."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the initial weights.")]
DataRootOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder of a data set of timm's.")
]
WorkersOption = Annotated[
    int, typer.Option(min=0, metavar="N", help="How many processes read images.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write there; - is stdout.")
]


def check_sources(specs: list[str]) -> None:
    """Refuse to read standard input twice.

    Raises:
        BadParameter: When `-` is given more than once.
    """
    if specs.count("-") > 1:
        raise typer.BadParameter("- is given twice, and can be read once", param_hint="SPEC")


def is_stream(source: str, input_format: InputFormat | None) -> bool:
    """Whether a source is JSON Lines, which hold any number of specs."""
    from efspec.spec.files import JSON_LINES

    return (input_format or Path(source).suffix) in JSON_LINES


def is_space(source: str) -> bool:
    """Whether a source is a search space: a shipped one, or a file that says so."""
    from efspec.spec.spaces import find_space, holds_space

    path = find_space(source)
    return path is not None and path.suffix in (".yaml", ".yml") and holds_space(path)


def changes(sets: list[str] | None, size: str | None) -> tuple[Option, ...]:
    """The changes that `--set` and `--size` ask for.

    Raises:
        EfspecError: When the size is none.
    """
    wanted: list[Option] = list(sets or ())
    if sides := _sides("--size", size):
        from efspec.spec.merge import Change

        height, width = sides
        value = f"[{height}, {width}]" if width else height
        wanted.append(Change("input.size", value, f"--size {size}"))
    return tuple(wanted)


def height_width(option: str, size: str | None) -> tuple[int, int] | None:
    """Height and width in pixels that an option gives; None where it was not given.

    Raises:
        EfspecError: When the size is none.
    """
    sides = _sides(option, size)
    if sides is None:
        return None
    height, width = sides
    return int(height), int(width or height)


def _sides(option: str, size: str | None) -> tuple[str, str] | None:
    """The digits of height and width; those of the width are empty where one number is given."""
    if size is None:
        return None
    height, by, width = size.partition("x")
    if not all(n.isascii() and n.isdecimal() for n in ([height, width] if by else [height])):
        raise fail(
            "bad-size",
            f"{size!a} is no size",
            file=option,
            expected="256, or 384x512 for height by width",
        )
    return height, width


def read_spec(
    source: str,
    sets: list[str] | None = None,
    size: str | None = None,
    input_format: InputFormat | None = None,
) -> NetworkSpec:
    """The one spec that a command was given.

    Raises:
        EfspecError: With every mistake of it.
    """
    from efspec.spec.loader import load

    return load(source, set=changes(sets, size), input_format=input_format)


def read_plan(
    source: str,
    sets: list[str] | None = None,
    size: str | None = None,
    input_format: InputFormat | None = None,
) -> Plan:
    """The plan of the one spec that a command was given.

    Raises:
        EfspecError: With every mistake of it.
    """
    from efspec.spec.resolve import resolve

    return resolve(read_spec(source, sets, size, input_format))


def of_each(
    sources: list[str],
    options: tuple[Option, ...],
    input_format: InputFormat | None,
    result: Callable[[NetworkSpec], ResultT],
) -> Iterator[ResultT | EfspecError]:
    """The result of each spec of several sources, or what is wrong with it.

    A source may hold any number of specs; a wrong one does not keep the others from being read.

    Args:
        sources: Paths, shipped names, or `-`.
        options: Changes of every spec.
        input_format: How the sources are written; None to find out.
        result: What is wanted of a spec; it may refuse it with an EfspecError.
    """
    from efspec.spec.loader import load_all

    for source in sources:
        try:
            for spec in load_all(source, set=options, input_format=input_format):
                try:
                    yield spec if isinstance(spec, EfspecError) else result(spec)
                except EfspecError as error:
                    yield error
        except EfspecError as error:  # the source cannot be read, or read on
            yield error
