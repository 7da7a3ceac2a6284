"""`efspec latency probes`: packages to measure parts of networks with, elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import Cell, print_notes, print_table, progress
from efspec.cli.latency_measure import table_name
from efspec.cli.latency_specs import parts_of, read_plans
from efspec.cli.options import InputFormatOption, SetOption, SizeOption, SpecArguments
from efspec.coreml.options import IOS, PackageOptions, Precision

if TYPE_CHECKING:
    from efspec.latency.probe import Wanted

MANIFEST = "manifest.json"
GUIDE = "GUIDE.md"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("probes", short_help="Write packages to measure parts elsewhere.")(probes)


def probes(
    device: Annotated[
        str,
        typer.Argument(
            metavar="DEVICE",
            help="What to measure for: a shipped device or a table; or a new table's FILE.yaml.",
        ),
    ],
    specs: SpecArguments,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write them into.")
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Also of what the device has no measured row of.")
    ] = False,
    precision: Annotated[
        Precision, typer.Option(help="Of weights and of what is computed.")
    ] = "fp16",
    ios: Annotated[
        int, typer.Option(metavar="N", help=f"First release, of {', '.join(map(str, IOS))}.")
    ] = IOS[0],
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Write Core ML packages that measure the parts that a device's table does not know.

    For each part there are packages with 1, 5 and 9 copies of it. manifest.json says which
    package is which, and is written last; GUIDE.md says how to measure them with Xcode, and how
    to bring the numbers back.
    """
    from efspec.cli.files import replace_together
    from efspec.latency.packages import entries, guide, manifest, measurable, package

    if str(output) == "-":
        raise typer.BadParameter("several files need a folder, not -", param_hint="-o")
    found = parts_of(read_plans(specs, set_, size, input_format))
    name, missing = _missing(device, list(found.values()), strict=strict)
    wanted = [one.probe for one in missing]
    left_out = [probe.key.text for probe in wanted if not measurable(probe)]
    written = list(entries(wanted))
    if not missing:
        print_notes([f"{name} knows all of these parts; --strict asks for measured rows"])
        return
    options = PackageOptions(precision=precision, ios=ios)
    output.mkdir(parents=True, exist_ok=True)
    listing = output / MANIFEST
    with progress(len(written), left=True) as step:
        for entry in written:
            step(entry.file)
            replace_together({output / entry.file: package(entry, options).files}, listing)
    texts = {GUIDE: guide(name, written, left_out), MANIFEST: manifest(name, written)}
    replace_together({output / file: text.encode() for file, text in texts.items()}, listing)
    rows: list[list[Cell]] = [[one.file, one.key, one.copies] for one in written]
    print_table(["package", "part", "copies"], rows, f"packages for {name} in {output}")
    print_notes(f"{key}: no package can measure it; see {output / GUIDE}" for key in left_out)


def _missing(device: str, found: list[Wanted], *, strict: bool) -> tuple[str, list[Wanted]]:
    """A device's name, and the parts that its table does not know: all, if there is none yet."""
    from efspec.latency.devices import device_source

    if device.endswith(".yaml") and not Path(device).exists():
        return table_name(Path(device)), found
    source = device_source(device, strict=strict)
    missing = [one for one in found if source.of_part(one.plan, one.part) is None]
    return source.table.name, missing
