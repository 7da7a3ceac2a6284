"""How `efspec build` makes a Core ML package, and proves it before it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efspec.errors import EfspecError, fail

if TYPE_CHECKING:
    from torch import Tensor

    from efspec.coreml.lint import Finding
    from efspec.coreml.options import PackageOptions
    from efspec.coreml.package import Package
    from efspec.deploy import Weights
    from efspec.plan import Plan
    from efspec.verify import Check, OnnxFile, Report
    from efspec.verify import Package as Saved

VERSION_KEY = "efspec.version"
IMAGES = 2
"""How many images a package is checked on: its twin proves the rest bit by bit."""
MAX_LABELS = 1 << 25
"""Largest file of labels, in bytes."""


def read_labels(file: Path) -> tuple[str, ...]:
    """The labels in a file, one per line.

    Raises:
        EfspecError: When it is no text, is too large, or has an empty line between two labels.
        OSError: When it cannot be read.
    """
    with file.open("rb") as stream:
        data = stream.read(MAX_LABELS + 1)
    if len(data) > MAX_LABELS:
        raise fail("file-too-large", f"it is larger than {MAX_LABELS >> 20} MiB", file=str(file))
    try:
        lines = data.decode("utf-8-sig").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise fail("wrong-labels", "it is not UTF-8", file=str(file)) from error
    labels = tuple(line.strip() for line in lines)
    for number, label in enumerate(labels, 1):
        if not label or not label.isprintable():
            what = "no label" if not label else "characters that cannot be printed"
            raise fail(
                "wrong-labels",
                f"there is {what} in this line",
                file=str(file),
                line=number,
                column=1,
                expected="a label in each line",
            )
    return labels


def prove(
    plan: Plan,
    state: Mapping[str, Tensor],
    deployed: tuple[Plan, Weights],
    options: PackageOptions,
    metadata: Mapping[str, str],
) -> tuple[Package, Report]:
    """A package, and what verifying it found.

    Args:
        plan: The network.
        state: Its state dict.
        deployed: The plan and the weights that the package is written from.
        options: What the package is to be like.
        metadata: What it is to say of where it comes from.

    Raises:
        EfspecError: When the options do not go with the network, or the package is not what it
            should be.
    """
    from efspec.coreml.options import IMAGENET
    from efspec.coreml.package import Package, pack
    from efspec.pytorch.threads import one_thread
    from efspec.verify import module_reference, read_package, verify

    lean, weights = deployed
    package = pack(lean, weights, options, metadata)
    single = options.replaced(precision="fp32", compress=None)
    normal = options.image or IMAGENET
    with one_thread(), tempfile.TemporaryDirectory(prefix="efspec-") as name:
        paths = [Path(name) / f"{what}.mlpackage" for what in ("package", "twin")]
        package.write(paths[0])
        (package if single == options else pack(lean, weights, single, metadata)).write(paths[1])
        # What was verified is what is given, and meanwhile it is not held in memory.
        names, findings = list(package.files), package.findings
        del package
        reference = module_reference(plan, state, deployed=True, normal=normal)
        found, other = map(read_package, paths)
        report = verify(found, reference, twin=other, images=IMAGES)
        package = Package({name: (paths[0] / name).read_bytes() for name in names}, findings)
    if not report.agrees:
        raise _wrong(report)
    return package, report


def twin_of(package: Saved, plan: Plan, state: Mapping[str, Tensor]) -> Saved | None:
    """The twin in single precision, written anew, of a package that this efspec has written.

    None for packages of others, and for one that is its own twin.

    Args:
        package: The package.
        plan: The network.
        state: Its state dict.

    Raises:
        EfspecError: When its options do not go with the network: it is of another one.
    """
    from efspec.coreml.options import IMAGENET, PackageOptions, release
    from efspec.coreml.package import pack
    from efspec.pytorch.build import deployed
    from efspec.verify import read_package

    program = package.program
    ios = release(package.version)
    is_ours = package.metadata.get(VERSION_KEY) == version("efspec")
    if not is_ours or ios is None or not (program.is_half or program.packings):
        return None
    options = PackageOptions(
        precision="fp32", ios=ios, image=IMAGENET if package.image else None, labels=package.labels
    )
    with tempfile.TemporaryDirectory(prefix="efspec-") as name:
        path = Path(name) / "twin.mlpackage"
        pack(*deployed(plan, state), options).write(path)
        return read_package(path)


def onnx_twin_of(file: OnnxFile, plan: Plan, state: Mapping[str, Tensor]) -> Any:
    """What efspec writes of a network, for an ONNX file that this efspec has written; else None.

    Args:
        file: The file.
        plan: The network.
        state: Its state dict.

    Raises:
        EfspecError: When its opset is none that efspec writes.
    """
    from efspec.onnx.emit import emit
    from efspec.pytorch.build import deployed

    if file.metadata.get(VERSION_KEY) != version("efspec"):
        return None
    (opset,) = (one.version for one in file.model.opset_import)
    batch = file.model.graph.input[0].type.tensor_type.shape.dim[0]
    lean, weights = deployed(plan, state)
    return emit(lean, weights, opset=opset, dynamic_batch=bool(batch.dim_param))


def told(report: Report) -> str:
    """What verifying a package found, in a line."""
    figures = {(c.name, c.precision): c for c in report.checks if c.figures}
    twin = figures[("twin", "fp32")].figures
    half = figures[("package", "fp16")].figures
    assert twin is not None
    assert half is not None
    agree = "" if half.same_top is None else f", top class on {half.same_top} of {half.images}"
    single = f"fp32 twin as the module, to {twin.relative:.0e}"
    return f"{single}; in fp16 off by {half.relative:.2%}{agree}"


def remarks(findings: Iterable[Finding]) -> list[str]:
    """What lint found, a line each."""
    return [
        f"{one.name}: {one.message}: {_ops(one.ops)} ({one.basis}; {one.source})"
        for one in findings
    ]


def _ops(names: tuple[str, ...]) -> str:
    return f"`{names[0]}`" if len(names) == 1 else f"`{names[0]}` and {len(names) - 1:,} more"


def _wrong(report: Report) -> EfspecError:
    failed: list[Check] = [check for check in report.checks if check.state == "failed"]
    where = "".join(f"; first at {d.path or d.op}: {d.message}" for d in report.departures[:1])
    what = ", ".join(f"{check.name} {check.precision}".strip() for check in failed)
    return fail(
        "wrong-artefact",
        f"the Core ML package is not what the module is: {what}{where}",
        fix="report it, with the spec; nothing was written",
    )
