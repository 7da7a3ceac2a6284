"""`efspec latency measure`: times the parts of networks on this machine."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import print_notes, progress
from efspec.cli.generate import DIFFERENCE
from efspec.cli.latency_report import as_dict, changes_of_speed, doubts, print_measured
from efspec.cli.latency_specs import parts_of, read_plans
from efspec.cli.options import (
    InputFormatOption,
    JsonOption,
    SetOption,
    SizeOption,
    SpecArguments,
)

if TYPE_CHECKING:
    from efspec.latency.measure import Batch
    from efspec.latency.table import DeviceTable, Protocol


class Runtime(StrEnum):
    """What runs networks."""

    torch = "torch"
    torch_compile = "torch-compile"
    onnxruntime = "onnxruntime"
    cuda = "cuda"
    coreml = "coreml"


class Precision(StrEnum):
    """Of weights and activations."""

    fp16 = "fp16"
    fp32 = "fp32"


class Units(StrEnum):
    """What Core ML may use, besides the CPU."""

    all = "all"
    cpu = "cpu"
    gpu = "gpu"
    ane = "ane"


TableOption = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="TABLE", help="The table, which may be there already."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("measure", short_help="Time the parts of networks on this machine.")(measure)


def measure(
    specs: SpecArguments,
    output: TableOption,
    runtime: Annotated[Runtime, typer.Option(help="What is to run them.")],
    threads: Annotated[int, typer.Option(min=1, help="How many threads of the CPU.")] = 1,
    precision: Annotated[
        Precision | None, typer.Option(help="cuda, coreml: of weights and activations; fp16.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=65536, help="Images at a time.")] = 1,
    units: Annotated[Units, typer.Option(help="coreml: what it may use.")] = Units.all,
    team: Annotated[
        str,
        typer.Option(metavar="ID", help="coreml: on the iPhone attached, signed by this team."),
    ] = "",
    rounds: Annotated[int, typer.Option(min=4, help="How many rounds have to count.")] = 12,
    together: Annotated[
        int, typer.Option(min=1, help="Parts timed in turn: more go faster, and a kill loses more.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the order.")] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Measure also what the table has rows of.")
    ] = False,
    keep_doubtful: Annotated[
        bool, typer.Option("--keep-doubtful", help="Write also rows that should not be believed.")
    ] = False,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Time the parts of networks on this machine, and write them into a table.

    Networks are deployed first. A part is timed in networks of 2, 5 and 8 copies of it with
    different weights; what one copy more takes is its latency, in which calling a network does
    not count. What remains for no copies is the table's `network`: the call, input and output.

    A part's networks are timed in rounds, in random order; the fastest call of a round is what
    counts, as what disturbs a call only makes it slower. The first network's stem is timed in
    every round: rounds in which it was slower than at its best are repeated. Each row says as
    `noise` by how much its samples contradict each other: the earlier and the later half, or 5
    copies and the line through 2 and 8. Above 0.05 the row is not written, and the exit code is 3.

    The table is written after each part; called again, the command goes on with what is missing.
    Leave the machine alone meanwhile.
    """
    from efspec.latency.device import MEASURED
    from efspec.latency.measure import Effort, network_figure, steps
    from efspec.latency.measure import measure as measured_batches
    from efspec.latency.probe import reference
    from efspec.latency.runner import Setting
    from efspec.latency.runtimes import runner

    if str(output) == "-":
        raise typer.BadParameter("it is written step by step: give it a name", param_hint="-o")
    plans = read_plans(specs, set_, size, input_format)
    found = parts_of(plans)
    setting = Setting(threads, precision.value if precision else None, batch, units.value, team)
    effort = Effort(rounds=rounds, together=together, seed=seed)
    batches: list[Batch] = []
    with runner(runtime.value, setting) as running:
        table = begun = _begun(output, running.protocol)
        known = set() if again else {k for k, row in table.rows.items() if row.method in MEASURED}
        probes = [one.probe for key, one in found.items() if key.text not in known]
        with progress(steps(probes, effort), left=True) as step:
            for one in measured_batches(probes, reference(plans[0]), running, effort, step):
                batches.append(one)
                rows = {m.key.text: m.figure for m in one.measured if keep_doubtful or not m.doubts}
                watched = [times for batch in batches for times in batch.watched]
                network = network_figure(watched) if watched else table.network
                changes = {"rows": {**table.rows, **rows}, "network": network}
                table = table.model_copy(update=changes)
                _write(output, table)
    if json_:
        typer.echo(json.dumps(as_dict(table, batches, kept=keep_doubtful), indent=2))
    else:
        print_measured(table, batches, before=len(found) - len(probes))
    print_notes(doubts(batches, kept=keep_doubtful))
    print_notes(changes_of_speed(batches, begun, next(iter(found))))
    if any(one.doubts for batch in batches for one in batch.measured):
        raise typer.Exit(DIFFERENCE)


def _begun(file: Path, protocol: Protocol) -> DeviceTable:
    """The table as it is on disk, or an empty one.

    Raises:
        EfspecError: When it is wrong, or of another protocol.
    """
    from efspec.latency.devices import read_table
    from efspec.latency.merge import check_same_protocol
    from efspec.latency.table import DeviceTable

    if not file.exists():
        return DeviceTable(efspec=1, name=table_name(file), protocol=protocol)
    table = read_table(file)
    check_same_protocol(protocol, table.protocol, str(file))
    return table


def table_name(file: Path) -> str:
    """What a table is called, after its file."""
    return re.sub(r"[^a-z0-9._-]", "-", file.stem.lower()).strip("._-")[:100] or "device"


def _write(file: Path, table: DeviceTable) -> None:
    from efspec.cli.files import write_lines
    from efspec.latency.devices import dump_table
    from efspec.latency.table import DeviceTable

    whole = DeviceTable.model_validate(table.model_dump())  # no row may contradict another
    write_lines(file, dump_table(whole).splitlines())
