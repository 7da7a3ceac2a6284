"""`efspec verify`: whether a package encodes a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_notes, print_table, progress
from efspec.cli.generate import DIFFERENCE
from efspec.cli.options import (
    FromSizeOption,
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    height_width,
    read_plan,
)
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.plan import Plan
    from efspec.verify import OnnxFile, Package, Reference, Report

    Target = Package | OnnxFile
    Channels = tuple[float, float, float]

READING = 3
"""Steps before anything is compared."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", short_help="Check that a package encodes a network.")(verify)


def verify(
    package: Annotated[
        Path, typer.Argument(metavar="PACKAGE", help="A .mlpackage folder or an .onnx file.")
    ],
    spec: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Its network; by default the one that the package says it is of."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="CKPT", help="The network's weights: .pth, .pt or .safetensors."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Another .mlpackage or .onnx, to compare with instead of a network."
        ),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The same package in single precision, to hold one in half precision or a "
            "compressed one to, bit by bit.",
        ),
    ] = None,
    images: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Random images to compare on.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the images.")] = 0,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="X", help="Largest relative error of the outputs."),
    ] = None,
    mean: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Of pixels from 0 to 1, where the package takes images.", metavar="X"),
    ] = None,
    std: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Of pixels from 0 to 1, where the package takes images.", metavar="X"),
    ] = None,
    from_size: FromSizeOption = None,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Check that a package encodes a network, on any system.

    A Core ML package is read from disk and its program run op by op, in single and in half
    precision; an ONNX file is run by onnxruntime. Its outputs are compared with those of the
    network with its weights, or of another package. On a difference the first op that departs is
    named. On a Mac, Core ML runs the package, too, on each kind of unit.

    Exit code 3 when there is a difference.
    """
    if weights is not None and against is not None:
        raise typer.BadParameter("a package is compared with one thing", param_hint="--against")
    if weights is None and against is None:
        raise fail(
            "no-reference",
            "nothing says what it should compute",
            file=str(package),
            fix="give its network's weights with --weights, or another package with --against",
        )
    with progress(_steps(package)) as step:
        step("loading torch")
        from efspec.verify import IMAGENET, Normal, OnnxFile, read_package
        from efspec.verify import verify as verify_package
        from efspec.verify import verify_onnx

        step("reading the package")
        found = _read(package)
        step("reading what it is compared with")
        normal = Normal(mean or IMAGENET.mean, std or IMAGENET.std)
        remarks: list[str] = []
        if against is not None:
            reference = _package_reference(against, normal)
        else:
            plan = _plan(found, spec, set_, size, input_format)
            sides = height_width("--from-size", from_size)
            reference = _module_reference(plan, weights, sides, normal, remarks)
        if isinstance(found, OnnxFile):
            if twin is not None:
                raise typer.BadParameter("ONNX files are in single precision", param_hint="--twin")
            report = verify_onnx(
                found, reference, images=images, seed=seed, tolerance=tolerance, step=step
            )
        else:
            report = verify_package(
                found,
                reference,
                twin=read_package(twin) if twin is not None else None,
                images=images,
                seed=seed,
                tolerance=tolerance,
                step=step,
            )
    print_notes([*remarks, *report.remarks])
    if json_:
        _print_json(report)
    else:
        _print(report)
    if not report.agrees:
        raise typer.Exit(DIFFERENCE)


def _steps(package: Path) -> int:
    return READING + (4 if package.suffix == ".onnx" else 4)


def _read(path: Path) -> Target:
    from efspec.verify import read_onnx, read_package

    return read_onnx(path) if path.suffix == ".onnx" else read_package(path)


def _package_reference(path: Path, normal: object) -> Reference:
    from efspec.verify import Normal, OnnxFile, onnx_reference, package_reference

    assert isinstance(normal, Normal)
    found = _read(path)
    if isinstance(found, OnnxFile):
        return onnx_reference(found, normal)
    return package_reference(found, normal)
