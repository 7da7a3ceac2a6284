"""`efspec latency import`: what other tools measured, as rows of a table."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import print_notes
from efspec.cli.files import write_lines
from efspec.cli.latency_imported import (
    NewRows,
    as_dict,
    of_whole,
    print_new,
    rows_of_probes,
    rows_of_profile,
)
from efspec.cli.latency_measure import table_name
from efspec.cli.latency_merge import Prefer
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    changes,
    read_plan,
)
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.latency.profile import Profile
    from efspec.latency.sheet import Sheet
    from efspec.latency.table import DeviceTable

MANIFEST = "manifest.json"


class Precision(StrEnum):
    """Of weights and activations."""

    fp16 = "fp16"
    fp32 = "fp32"
    int8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import", short_help="Make rows of what other tools measured.")(import_)


def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Profiles of one network, or times of probes."),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="The network; by default the one that its package says it is of."
        ),
    ] = None,
    package: Annotated[
        Path | None, typer.Option(metavar="PKG", help="The .mlpackage that was profiled.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="TABLE", help="The table, new or to be extended; - is stdout."
        ),
    ] = None,
    total_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Median of a prediction, where no file says it."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Of times of probes; by default {MANIFEST} beside them."
        ),
    ] = None,
    device_name: Annotated[str, typer.Option(metavar="TEXT", help="Device, as iPhone 12.")] = "",
    os: Annotated[str, typer.Option("--os", metavar="TEXT", help="System, as iOS 16.1.")] = "",
    runtime: Annotated[str, typer.Option(metavar="TEXT", help="What ran it.")] = "",
    unit: Annotated[
        str, typer.Option(metavar="TEXT", help="What it might run on: all, cpu, gpu or ane.")
    ] = "",
    precision: Annotated[Precision | None, typer.Option(help="Of weights and activations.")] = None,
    tool: Annotated[str, typer.Option(metavar="TEXT", help="What took the times.")] = "",
    date: Annotated[str, typer.Option(metavar="DATE", help="When, as 2026-11-23.")] = "",
    prefer: Annotated[
        Prefer | None, typer.Option(help="Which row to take where the table has another figure.")
    ] = None,
    allow_unmapped: Annotated[
        bool,
        typer.Option("--allow-unmapped", help="Leave out ops of which no part is known."),
    ] = False,
    script: Annotated[
        bool,
        typer.Option(
            "--script", help="Print the script that profiles a package on a Mac, and do no more."
        ),
    ] = False,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Make rows of a table of what other tools measured.

    A profile of a network that efspec wrote as a Core ML package becomes rows of all its parts,
    marked `apportioned`: the time of a prediction, split by the shares of the ops. Such are JSON
    of the script that --script prints, Xcode's reports (a .mlperf folder, or typed as CSV) and
    analytics.mil of Core ML's cache. Where a profile does not say how long a prediction takes,
    another file does (JSON of coreml-cli or executorch, say), or --total-ms.

    Times of the packages of `efspec latency probes` (CSV: file, median_ms) become rows of parts
    marked `differenced`.

    A table that is there is extended, if its figures were taken in the same way.
    """
    if script:
        from efspec.latency import mac_script

        typer.echo(Path(mac_script.__file__).read_text(encoding="utf-8"), nl=False)
        return
    if not files:
        raise typer.BadParameter("nothing is given", param_hint="FILE")
    if output is None:
        raise typer.BadParameter("say which table they are for", param_hint="-o")
    from efspec.latency.devices import dump_table, read_table
    from efspec.latency.sheet import Sheet

    fields = {
        "device": device_name,
        "os": os,
        "runtime": runtime,
        "unit": unit,
        "precision": precision.value if precision else "",
        "tool": tool,
        "date": date,
    }
    given = {name: text for name, text in fields.items() if text}
    to_stdout = str(output) == "-"
    before = read_table(output) if not to_stdout and output.exists() else None
    found = _read(files)
    if isinstance(found, Sheet):
        new = rows_of_probes(found, manifest or files[0].parent / MANIFEST)
    else:
        whole = of_whole(found, total_ms)
        plan = None if spec is None else read_plan(spec, set_, size, input_format)
        new = rows_of_profile(
            whole, plan, package, changes(set_, size), allow_unmapped=allow_unmapped
        )
    table = _table(new, before, given, output, prefer)
    print_notes(new.notes)
    text = dump_table(table)
    write_lines(output, text.splitlines())
    if json_ and not to_stdout:
        typer.echo(json.dumps(as_dict(new, table), indent=2))
    elif not to_stdout:
        print_new(new, table.name)


def _read(files: list[Path]) -> list[Profile] | Sheet:
    """What the files hold: profiles of one network, or one table of packages' times."""
    from efspec.latency.profiles import read_profile, read_source
    from efspec.latency.sheet import Sheet

    profiles = []
    for file in files:
        found = read_profile(read_source(file))
        if isinstance(found, Sheet):
            if len(files) > 1:
                raise fail(
                    "several-profiles",
                    "times of probes go alone",
                    file=str(file),
                    fix="import them one after the other",
                )
            return found
        profiles.append(found)
    return profiles


def _table(
    new: NewRows,
    before: DeviceTable | None,
    given: dict[str, str],
    output: Path,
    prefer: Prefer | None,
) -> DeviceTable:
    """The table with the new rows."""
    from efspec.latency.extend import extended, protocol_of, unchecked

    protocol = protocol_of(given, new.said, before, new.file)
    name = before.name if before else table_name(output)
    fresh = unchecked(name, protocol, new.rows, new.network, new.description)
    return extended(
        before, fresh, prefer.value if prefer else None, file=str(output), source=new.file
    )
