"""`efspec convert`: a checkpoint in another layout."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_notes, print_table, progress
from efspec.cli.options import (
    FromSizeOption,
    InputFormatOption,
    JsonOption,
    NewHeadOption,
    SeedOption,
    SetOption,
    SizeOption,
    height_width,
    read_plan,
)
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.plan import Plan
    from efspec.pytorch.adapt import Adapted
    from efspec.pytorch.source import Source

STEPS = 4


class LayoutName(StrEnum):
    """How a checkpoint names its tensors."""

    official = "official"
    timm = "timm"
    efspec = "efspec"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("convert", short_help="Write a checkpoint in another layout.")(convert)


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CKPT", help="A .pth, .pt or .safetensors file.")
    ],
    spec: Annotated[
        str,
        typer.Option(metavar="SPEC", help="Its network: a path, a name such as v2_s1, or -."),
    ],
    to: Annotated[LayoutName, typer.Option(help="Layout to write.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to: a .safetensors, .pth or .pt file."
        ),
    ],
    from_: Annotated[
        LayoutName | None,
        typer.Option("--from", help="Layout to read; by default the one that fits best."),
    ] = None,
    new_head: NewHeadOption = False,
    from_size: FromSizeOption = None,
    seed: SeedOption = 0,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Write a checkpoint in another layout: the authors' (official), timm's or efspec's.

    Tensors keep their type and their bits. Checkpoints of the authors' detection and segmentation
    code are read too. Where the spec's input size is another than the checkpoint was trained at,
    attention biases are interpolated; where the spec's head is `features`, a classifier's head is
    left out. All of that is told on standard error. Nothing in a checkpoint is ever executed.
    """
    from efspec.pytorch.source import SUFFIXES, Source

    if str(output) == "-":
        raise typer.BadParameter("its name says the format, and - says none", param_hint="-o")
    if output.suffix not in SUFFIXES:
        raise fail(
            "unknown-suffix",
            f"the name says no format: {output.suffix or 'it has no suffix'}",
            file=str(output),
            expected=", ".join(SUFFIXES),
        )
    plan = read_plan(spec, set_, size, input_format)
    source = Source(
        checkpoint,
        from_.value if from_ else None,
        new_head,
        height_width("--from-size", from_size),
    )
    adapted, tensors, count = _write(plan, source, to, output, seed)
    print_notes(adapted.remarks())
    if json_:
        typer.echo(json.dumps(_report(plan, adapted, to, output, tensors, count), indent=2))
        return
    row: list[Cell] = [adapted.layout, to.value, str(output), tensors, count]
    print_table(["from", "to", "file", "tensors", "bytes"], [row], f"converted {plan.name}")


def _write(
    plan: Plan, source: Source, to: LayoutName, output: Path, seed: int
) -> tuple[Adapted, int, int]:
    """Write the file; gives how the checkpoint was taken, how many tensors it wrote, and bytes."""
    from efspec.cli.files import replaced
    from efspec.pytorch.seed import check_seed

    check_seed(seed)
    with progress(STEPS) as step:
        step("loading torch")
        from efspec.pytorch.adapt import complete, lay_out
        from efspec.pytorch.checkpoints import encode, take

        step("reading the checkpoint")
        adapted = take(plan, source)
        step("converting")
        state = lay_out(plan, complete(plan, adapted, seed), to.value)
        data = encode(plan, state, output.suffix)
        step("writing the file")
        with replaced(output) as temporary:
            temporary.write_bytes(data)
    return adapted, len(state), len(data)


def _report(
    plan: Plan, adapted: Adapted, to: LayoutName, output: Path, tensors: int, count: int
) -> dict[str, object]:
    return {
        "name": plan.name,
        "hash": plan.hash,
        "input": plan.input,
        "file": str(output),
        "bytes": count,
        "tensors": tensors,
        "from": adapted.layout,
        "to": to.value,
        "retargeted": [
            {"table": table.key, "from": table.source, "to": table.target}
            for table in adapted.retargeted
        ],
        "fresh": adapted.fresh,
        "dropped": adapted.dropped,
    }
