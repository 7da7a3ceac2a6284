"""`efspec import`: specs from what searches, the authors' code and timm say."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.options import InputFormat, JsonOption
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.importers import Imported


class Family(StrEnum):
    """Which EfficientFormer a network is one of."""

    v1 = "v1"
    v2 = "v2"


class Format(StrEnum):
    """How a network is described."""

    official = "official"
    timm = "timm"
    ofa = "ofa"
    spec = "spec"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import", short_help="Write specs of networks that others describe.")(import_)


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON, JSON Lines or YAML; - is standard input.")
    ],
    family: Annotated[
        Family | None, typer.Option(help="What the networks are; by default what they say.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="How they are described; by default what fields there are."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="The one that is wanted, of several.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the spec.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE_OR_DIR",
            help="Write there, several specs into a folder; - is stdout.",
        ),
    ] = None,
    json_: JsonOption = False,
    input_format: Annotated[
        InputFormat | None,
        typer.Option(help="How the file is written; by default its name or content tells."),
    ] = None,
) -> None:
    """Write specs of networks that others describe; say what was assumed.

    What is assumed goes to standard error, into --json, and as comments above the spec. A file
    holds one network, a list of them, one on each line, or a mapping with a network under each
    name. If there is a mistake in any, nothing is written.

    official: the dictionaries of the authors' code, for one network (`width` and `depth`, lists
    with a number for each stage; `expansion_ratios`, for V2: a number, a list, or {"0": [...],
    ...}, in it a list with a number for each block; `vit_num`, how many blocks attend) or for
    several (`EfficientFormer_width`: {"S0": [...], ...}, `EfficientFormer_depth` alike,
    `expansion_ratios_S0`, ...), or the arguments of its classes (`layers`, `embed_dims`,
    `e_ratios`, ...).

    timm: the arguments of its EfficientFormer and EfficientFormerV2 (`depths`, `embed_dims`,
    `num_vit`, `mlp_ratios`, ...), or a stored configuration (`architecture`, `model_args`,
    `pretrained_cfg`).

    ofa: a search's encoding in the manner of once-for-all. `d`: a list with the number of blocks
    of each stage. `w`: a list with the channels of each stage. `e`: expansion ratios, one number
    for all; or a list with a number, or a list of numbers, for each stage; or a flat list, with a
    number for each block, or with equally many for each stage. Numbers of blocks beyond a
    stage's depth are ignored. May have `a`, how many blocks attend at the end of each stage (one
    number means the last stage in V1, stages 2 and on in V2), `r`, the input size, `ks`, which
    can only hold 3, and `name`.

    spec: specs, and results of searches, which hold one under `spec` and any figures beside it.
    """
    from efspec import importers

    found = importers.import_networks(
        file,
        input_format=input_format,
        format=importers.Format(format_) if format_ else None,
        family=family.value if family else None,
        name=name,
        variant=variant,
    )
    to_stdout = output is None or str(output) == "-"
    if len(found) > 1 and to_stdout and not json_:
        raise fail(
            "several-specs",
            f"{len(found):,} networks, and standard output takes one",
            expected=", ".join(one.spec.name for one in found[:20]),
            fix="name a folder with -o, or one network with --variant",
            file=str(file),
        )
    _tell(found)
    source = "standard input" if str(file) == "-" else str(file)
    paths = _write(found, source, output) if output and not to_stdout else [None] * len(found)
    if json_:
        reports = [_as_dict(one, path) for one, path in zip(found, paths, strict=True)]
        typer.echo(json.dumps(reports if len(reports) > 1 else reports[0], indent=2))
    elif to_stdout:
        typer.echo(importers.document(found[0], source), nl=False)


def _tell(found: list[Imported]) -> None:
    """Say on standard error what was assumed and left out: once where it is so for all."""
    from efspec.importers import left_out

    of_all = set.intersection(*(set(one.assumed) for one in found))
    for assumption in found[0].assumed:
        if assumption in of_all:
            typer.echo(f"assumed {assumption}", err=True)
    for one in found:
        about = f"{one.spec.name}: " if len(found) > 1 else ""
        for assumption in one.assumed:
            if assumption not in of_all:
                typer.echo(f"{about}assumed {assumption}", err=True)
        if one.left_out:
            typer.echo(f"{about}left out {left_out(one)}", err=True)


def _write(found: list[Imported], source: str, output: Path) -> list[Path | None]:
    """Write the specs into a file, or each into its own in a folder; gives where each is."""
    from efspec.cli.files import write_lines
    from efspec.importers import document
    from efspec.spec.dump import dump

    paths = [output]
    if len(found) > 1 or output.is_dir():
        if output.exists() and not output.is_dir():
            raise fail("not-a-folder", "it is a file, not a folder", file=str(output))
        output.mkdir(parents=True, exist_ok=True)
        paths = [output / f"{one.spec.name}.yaml" for one in found]
    for one, path in zip(found, paths, strict=True):
        as_json = path.suffix == ".json"
        text = dump(one.spec, format="json") if as_json else document(one, source)
        write_lines(path, text.splitlines())
    return list(paths)


def _as_dict(one: Imported, path: Path | None) -> dict[str, object]:
    """An imported network for programs; it can be imported again."""
    from efspec.spec.dump import dump, spec_hash

    return {
        "name": one.spec.name,
        "format": one.format.value,
        "hash": spec_hash(one.spec),
        "file": str(path) if path else None,
        "assumed": [assumption.as_dict() for assumption in one.assumed],
        "left_out": list(one.left_out),
        "spec": json.loads(dump(one.spec, format="json")),
    }
