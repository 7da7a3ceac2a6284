"""`efspec verify`: whether a package encodes a network."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from efspec.cli.console import Cell, print_notes, print_table, progress
from efspec.cli.generate import DIFFERENCE
from efspec.cli.options import (
    FromSizeOption,
    InputFormat,
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    changes,
    height_width,
    read_plan,
)
from efspec.errors import fail
from efspec.pytorch.source import Source

if TYPE_CHECKING:
    from torch import Tensor

    from efspec.plan import Plan
    from efspec.verify import Check, Normal, OnnxFile, Package, Reference, Report

    Target = Package | OnnxFile

READING, STEPS = 3, 4
"""Steps before anything is compared, and while it is."""
SPEC_KEY = "efspec.spec"
"""Where a package's metadata keep its network's spec."""
MAX_SHOWN = 5
"""How many ops that depart are shown."""


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
            metavar="FILE",
            help="Another .mlpackage or .onnx, to compare with instead of a network.",
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

    A package of efspec's in half precision or with compressed weights is held, bit by bit, to its
    twin in single precision, which is written anew from the spec and the weights; so is an ONNX
    file of efspec's.

    Exit code 3 when there is a difference.
    """
    if against is not None and (spec is not None or weights is not None):
        raise typer.BadParameter("a package is compared with one thing", param_hint="--against")
    if twin is not None and package.suffix == ".onnx":
        raise typer.BadParameter("ONNX files are in single precision", param_hint="--twin")
    with progress(READING + STEPS) as step, ExitStack() as stack:
        step("loading torch")
        from efspec.pytorch.threads import one_thread

        stack.enter_context(one_thread())
        from efspec.cli.packages import onnx_twin_of, twin_of
        from efspec.verify import IMAGENET, Normal, OnnxFile, module_reference, read_package

        step("reading the package")
        found = _read(package)
        step("reading what it is compared with")
        normal = Normal(mean or IMAGENET.mean, std or IMAGENET.std)
        remarks: list[str] = []
        other = read_package(twin) if twin is not None else None
        emitted = None
        if against is not None:
            reference = _other(_read(against), normal)
        elif weights is not None:
            plan = _plan(found, spec, set_, size, input_format)
            source = Source(weights, from_size=height_width("--from-size", from_size))
            state = _state(plan, source, remarks)
            reference = module_reference(plan, state, deployed=True, normal=normal)
            if isinstance(found, OnnxFile):
                emitted = onnx_twin_of(found, plan, state)
            elif twin is None:
                other = twin_of(found, plan, state)
        else:
            raise fail(
                "no-reference",
                "nothing says what it should compute",
                file=str(package),
                fix="give its network's weights with --weights, or another package with --against",
            )
        report = _report(
            found,
            reference,
            other,
            emitted,
            Options(images, seed, tolerance, step),
        )
    print_notes([*remarks, *report.remarks])
    if json_:
        typer.echo(json.dumps(_finite(report.as_dict()), indent=2))
    else:
        _print(report)
    if not report.agrees:
        raise typer.Exit(DIFFERENCE)


def _read(path: Path) -> Target:
    """What is in a package or a file, as its name says.

    Raises:
        EfspecError: When it cannot be read.
    """
    from efspec.verify import read_onnx, read_package

    return read_onnx(path) if path.suffix == ".onnx" else read_package(path)


def _other(found: Target, normal: Normal) -> Reference:
    from efspec.verify import Package, onnx_reference, package_reference

    if isinstance(found, Package):
        return package_reference(found, normal)
    return onnx_reference(found, normal)


def _plan(
    found: Target,
    spec: str | None,
    sets: list[str] | None,
    size: str | None,
    input_format: InputFormat | None,
) -> Plan:
    """The plan of the spec that was given, or of the one in the package.

    Raises:
        EfspecError: When there is neither, or it is wrong.
    """
    from efspec.spec.loader import loads
    from efspec.spec.resolve import resolve

    if spec is not None:
        return read_plan(spec, sets, size, input_format)
    text = found.metadata.get(SPEC_KEY)
    if text is None:
        raise fail(
            "no-reference",
            "it does not say which network it is of",
            file=str(found.path),
            fix="give the network's spec with --spec",
        )
    return resolve(loads(text, name=f"{found.path}: {SPEC_KEY}", set=changes(sets, size)))


def _state(plan: Plan, source: Source, remarks: list[str]) -> dict[str, Tensor]:
    from efspec.pytorch.adapt import complete
    from efspec.pytorch.checkpoints import take

    adapted = take(plan, source)
    remarks += adapted.remarks()
    return dict(complete(plan, adapted))


class Options(NamedTuple):
    """How to compare: as `verify` takes it."""

    images: int
    seed: int
    tolerance: float | None
    step: Callable[[str], None]


def _report(
    found: Target, reference: Reference, twin: Package | None, emitted: Any, options: Options
) -> Report:
    from efspec.verify import Package, verify_onnx
    from efspec.verify import verify as verify_package

    if isinstance(found, Package):
        return verify_package(found, reference, twin=twin, **options._asdict())
    return verify_onnx(found, reference, twin=emitted, **options._asdict())


def _print(report: Report) -> None:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in report.ops)
    total = sum(count for _, count in report.ops)
    typer.echo(f"{report.file}: {total:,} ops: {kinds}\ncompared with {report.against}\n")
    print_table(
        ["what", "arithmetic", "output", "max abs", "relative", "at most", "cosine", "top", "is"],
        [_row(check) for check in report.checks],
    )
    for check in report.checks:
        if check.message:
            typer.echo(f"{check.name}: {check.message}")
    for departure in report.departures[:MAX_SHOWN]:
        op = f"`{departure.op}` ({departure.kind})" if departure.op else ""
        place = ", ".join(filter(None, [departure.path, op]))
        typer.echo(f"\ndeparts at {place}: {departure.message}")
    if len(report.departures) > MAX_SHOWN:
        typer.echo(f"... and {len(report.departures) - MAX_SHOWN:,} more")
    for title, texts in (("this proves", report.proves), ("it does not show", report.unproved)):
        if texts:
            typer.echo(f"\n{title}:\n" + "\n".join(f"  {text}" for text in texts))
    typer.echo("\n" + ("no difference was found" if report.agrees else "it is another network"))


def _row(check: Check) -> list[Cell]:
    far = check.figures
    if far is None:
        return [check.name, None, None, None, None, None, None, None, check.state]
    top = None if far.same_top is None else f"{far.same_top} of {far.images}"
    bound = None if check.tolerance is None else f"{check.tolerance:.1e}"
    errors = (f"{far.max_abs:.1e}", f"{far.relative:.1e}")
    cosine = f"{far.cosine:.6f}"
    return [check.name, check.precision, check.output, *errors, bound, cosine, top, check.state]


def _finite(value: Any) -> Any:
    """Values for JSON, which has no number that is none."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
