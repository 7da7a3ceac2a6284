"""`efspec build`: everything that a user takes away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    SpecArgument,
    height_width,
    read_spec,
)
from efspec.coreml.options import IMAGENET, IOS, Compression, PackageOptions, Precision
from efspec.onnx.limits import OPSET, OPSETS

DEFAULT_TARGETS = ("code", "weights", "coreml", "card")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("build", short_help="Write a network's code, weights and exported files.")(build)


def build(
    spec: SpecArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where to; build/NAME by default."),
    ] = None,
    targets: Annotated[
        str,
        typer.Option(
            "-t", "--targets", metavar="TARGETS", help="What to write, with commas between."
        ),
    ] = ",".join(DEFAULT_TARGETS),
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="CKPT",
            help="A .pth, .pt or .safetensors file in efspec's, timm's or the authors' layout.",
        ),
    ] = None,
    new_head: NewHeadOption = False,
    from_size: FromSizeOption = None,
    seed: SeedOption = 0,
    dynamic_batch: Annotated[
        bool,
        typer.Option("--dynamic-batch", help="onnx, torch: take a batch of any size, not of 1."),
    ] = False,
    opset: Annotated[
        int, typer.Option(metavar="N", help=f"onnx: operator set, {OPSETS[0]} to {OPSETS[-1]}.")
    ] = OPSET,
    precision: Annotated[
        Precision, typer.Option(help="coreml: of weights and of what is computed.")
    ] = "fp16",
    ios: Annotated[
        int,
        typer.Option(metavar="N", help=f"coreml: first release, of {', '.join(map(str, IOS))}."),
    ] = IOS[0],
    image: Annotated[
        bool,
        typer.Option(
            "--image", help="coreml: take an image, and normalise it as for ImageNet, not a tensor."
        ),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="coreml: give labels, one per line of a file."),
    ] = None,
    compress: Annotated[
        Compression | None,
        typer.Option(help="coreml: weights as 8-bit integers, or as 8-, 6- or 4-bit palettes."),
    ] = None,
    license_: Annotated[
        str,
        typer.Option("--license", metavar="TEXT", help="coreml, onnx: what they say of it."),
    ] = "",
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="card: tell the latency on a device, by its table."),
    ] = None,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Build a spec: its code, weights and Core ML package, and a card that tells of them.

    Targets: code (NAME.py, which imports only torch), weights (NAME.safetensors, from a checkpoint
    or freshly drawn), coreml (NAME.mlpackage), onnx (NAME.onnx), torch (NAME.pt2, for
    torch.export.load and ExecuTorch) and card (NAME.md, and NAME.html as a page of its own). What
    was exported is run, and compared with the module before anything is written.

    build.json lists them with their hashes and is written last, so that a folder with one is
    whole; building again repairs what an interruption left.

    A checkpoint of another input size has its attention biases interpolated, and a backbone takes
    a classifier's; what was done is told on standard error.
    """
    from efspec.cli.artefacts import MANIFEST, check_targets, steps, write_artefacts
    from efspec.cli.packages import read_labels
    from efspec.cli.targets import Ingredients, Options
    from efspec.latency import device_source
    from efspec.pytorch.source import Source
    from efspec.spec.resolve import resolve

    wanted = tuple(target.strip() for target in targets.split(",") if target.strip())
    check_targets(wanted)
    if str(output) == "-":
        raise typer.BadParameter("several files need a folder, not -", param_hint="-o")
    if weights is None and (new_head or from_size is not None):
        raise typer.BadParameter("--new-head and --from-size go with --weights")
    if weights is not None and set(wanted) == {"code"}:
        raise typer.BadParameter("the target code holds no weights", param_hint="--weights")
    loaded = read_spec(spec, set_, size, input_format)
    plan = resolve(loaded)
    source = None
    if weights is not None:
        trained_at = height_width("--from-size", from_size)
        source = Source(weights, new_head=new_head, from_size=trained_at)
    folder = output or Path("build") / plan.name
    package = PackageOptions(
        precision=precision,
        ios=ios,
        image=IMAGENET if image else None,
        labels=read_labels(labels) if labels else None,
        compress=compress,
    )
    options = Options(
        dynamic_batch=dynamic_batch,
        opset=opset,
        license=license_,
        package=package,
        device=device_source(device) if device else None,
    )
    remarks: list[str] = []
    with progress(steps(wanted)) as step:
        ingredients = Ingredients(
            plan, loaded, source, seed, options=options, step=step, remark=remarks.append
        )
        _ = ingredients.score  # before anything is made, as a table may not know the network
        written = write_artefacts(ingredients, folder, wanted)
    print_notes(remarks)
    if json_:
        typer.echo((folder / MANIFEST).read_text(encoding="utf-8").rstrip("\n"))
        return
    rows: list[list[Cell]] = [
        [target, str(one.path), one.size, one.check or None] for target, one in written.items()
    ]
    print_table(["target", "file", "bytes", "checked"], rows, f"built {plan.name}")
