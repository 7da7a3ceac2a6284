"""What `efspec latency import` makes of files, and what it says of that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from efspec.cli.console import Cell, Milliseconds, print_table
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.latency.apportion import Apportioned
    from efspec.latency.profile import Profile
    from efspec.latency.sheet import Sheet
    from efspec.latency.table import DeviceTable, Figure
    from efspec.plan import Plan
    from efspec.plan.key import BlockKey
    from efspec.spec.merge import Option

OPS_KEY = "efspec.ops"
SPEC_KEY = "efspec.spec"
"""Where packages keep the table of their ops' names, and their network's spec."""
PRECISIONS = {"float16": "fp16", "float32": "fp32"}
MAX_TOLD = 5


class NewRows(NamedTuple):
    """What files say of parts.

    Attributes:
        file: The file, or the first of them.
        rows: Latency of each part.
        network: What a network costs beside its parts; None if not known.
        said: Fields of a protocol that the files tell.
        units: The share of each compute unit; none if not known.
        description: Where the rows are from, for the table.
        notes: What the user should know.
    """

    file: str
    rows: Mapping[BlockKey, Figure]
    network: Figure | None
    said: Mapping[str, str]
    units: Mapping[str, float]
    description: str
    notes: tuple[str, ...]


def rows_of_probes(sheet: Sheet, manifest: Path) -> NewRows:
    """The rows that times of packages say.

    Raises:
        EfspecError: When the manifest or the times are wrong.
    """
    from efspec.latency.from_probes import differenced, read_manifest, read_times
    from efspec.latency.from_typed import said_in
    from efspec.latency.profiles import read_source
    from efspec.latency.values import document

    file = sheet.source.name
    probes = read_manifest(document(read_source(manifest)))
    found = differenced(read_times(sheet, probes), probes, file)
    if not found.rows:
        raise fail(
            "no-shares",
            "it has no times of two packages of one part",
            file=file,
            expected="times of packages with different numbers of copies",
        )
    left_out = [f"{key}: fewer than two of its packages are timed" for key in found.left_out]
    return NewRows(
        file=file,
        rows=found.rows,
        network=found.network,
        said=said_in(sheet),
        units={},
        description="Differences of times of efspec's packages.",
        notes=(*(f"{doubt}; measure them again" for doubt in found.doubts), *left_out),
    )


def of_whole(profiles: Sequence[Profile], total_ms: float | None) -> Profile:
    """Profiles of one network as one that says all that is needed.

    Raises:
        EfspecError: When they do not say how long a prediction takes, or how ops share it.
    """
    from efspec.latency.profile import Prediction, nanoseconds
    from efspec.latency.profiles import together
    from efspec.spec.source_map import Source

    whole = together(profiles)
    if total_ms is not None:
        ns = nanoseconds(total_ms, Source("--total-ms", first_line=0).place(0, 0))
        whole = whole.replaced(prediction=Prediction(ns))
    if whole.prediction is None:
        raise fail(
            "no-total",
            f"the {whole.format} does not say how long a prediction takes",
            file=whole.file,
            fix="give a file that does, too, or say it: `--total-ms 1.02`",
        )
    if not whole.ops:
        raise fail(
            "no-shares",
            f"the {whole.format} does not say how the ops share its time",
            file=whole.file,
            expected="a profile of its ops, too: JSON of `--script`'s, a report of Xcode's, or"
            " analytics.mil",
            fix="a whole network's time alone is a point for `efspec latency fit`",
        )
    return whole


def rows_of_profile(
    profile: Profile,
    plan: Plan | None,
    package: Path | None,
    options: tuple[Option, ...],
    *,
    allow_unmapped: bool,
) -> NewRows:
    """The rows that a profile of a whole network says.

    Args:
        profile: The profile.
        plan: The network; None to take what the package says.
        package: The package.
        options: Changes of the package's own spec.
        allow_unmapped: Whether ops of which no part is known may be left out.

    Raises:
        EfspecError: When it is of another network, or too much of it is in no part.
    """
    from efspec.latency.apportion import apportion, check_mapped, check_network

    about, said = dict(profile.metadata), dict(profile.said)
    origin = profile.file
    if package is not None:
        from efspec.verify import read_package

        found = read_package(package)
        about, origin = dict(found.metadata), str(package)
        if found.image is None:
            dtype = found.program.inputs[0].dtype
            said |= {"precision": PRECISIONS[dtype]} if dtype in PRECISIONS else {}
    told = _plan(about, origin, options) if SPEC_KEY in about else None
    if plan is not None and told is not None:
        check_network(plan, told, origin)
    plan = plan or told
    if plan is None:
        raise fail(
            "no-reference",
            "it does not say which network it is of",
            file=origin,
            fix="give the network's spec with --spec",
        )
    assert profile.prediction is not None  # `of_whole` gives one that has it
    apportioned = apportion(plan, profile.ops, profile.prediction, _ids(about, origin))
    if not allow_unmapped or not apportioned.rows:
        check_mapped(apportioned, profile.file)
    ran = f"; ran on {shares(apportioned.units)}" if apportioned.units else ""
    return NewRows(
        file=profile.file,
        rows=apportioned.rows,
        network=None,
        said=said,
        units=apportioned.units,
        description=f"Apportioned, {profile.format}{ran}.",
        notes=tuple(_notes(apportioned, profile)),
    )


def shares(units: Mapping[str, float]) -> str:
    """The shares of the compute units with the most, in words."""
    return ", ".join(f"{unit} {share:.1%}" for unit, share in islice(units.items(), MAX_TOLD))


def print_new(new: NewRows, name: str) -> None:
    """Show the rows that were made."""
    rows: list[list[Cell]] = [
        [
            key,
            Milliseconds(figure.p50_ns / 1e6),
            Milliseconds(figure.range[0] / 1e6),
            Milliseconds(figure.range[1] / 1e6),
            figure.n,
            figure.method,
        ]
        for key, figure in _figures(new)
    ]
    title = f"{name}: {len(new.rows):,} kinds of parts from {new.file}"
    print_table(["part", "ms", "p10", "p90", "n", "method"], rows, title)
    if new.units:
        typer.echo(f"ran on {shares(new.units)}")


def as_dict(new: NewRows, table: DeviceTable) -> dict[str, object]:
    """The same for programs."""
    return {
        "name": table.name,
        "protocol": table.protocol.model_dump(),
        "units": {unit: round(share, 6) for unit, share in new.units.items()},
        "parts": [
            {"key": key, **figure.model_dump(exclude_none=True)} for key, figure in _figures(new)
        ],
        "notes": list(new.notes),
    }


def _figures(new: NewRows) -> Iterator[tuple[str, Figure]]:
    yield from ((key.text, figure) for key, figure in new.rows.items())
    if new.network:
        yield "network", new.network


def _plan(metadata: Mapping[str, str], origin: str, options: tuple[Option, ...]) -> Plan:
    from efspec.spec.loader import loads
    from efspec.spec.resolve import resolve

    return resolve(loads(metadata[SPEC_KEY], name=f"{origin}: {SPEC_KEY}", set=options))


def _ids(metadata: Mapping[str, str], origin: str) -> dict[str, str] | None:
    """The table of ops' names that a package carries; None if it has none."""
    if OPS_KEY not in metadata:
        return None
    try:
        table = json.loads(metadata[OPS_KEY])
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
        raise fail(
            "damaged-package",
            f"its metadata `{OPS_KEY}` is no table of names",
            file=origin,
            fix="write or copy the package again",
        )
    return table


def _notes(apportioned: Apportioned, profile: Profile) -> Iterator[str]:
    from efspec.importers.document import printable

    if profile.load_ns:
        yield f"loading takes {profile.load_ns / 1e6:,.1f} ms, which no row holds"
    if profile.compile_ns:
        yield f"compiling takes {profile.compile_ns / 1e6:,.1f} ms, which no row holds"
    if apportioned.beside:
        yield f"{apportioned.beside:.1%} is beside the network, as for an image, and in no row"
    for op, share in apportioned.unmapped[:MAX_TOLD]:
        name = printable(op) or "an op without a name"
        yield f"{name}: {share:.1%} is left out, since no part is known of it"
    more = apportioned.unmapped[MAX_TOLD:]
    if more:
        yield f"{len(more):,} more: {sum(s for _, s in more):.1%} is left out, too"
    if apportioned.silent:
        named = ", ".join(apportioned.silent[:MAX_TOLD])
        more_paths = len(apportioned.silent) - MAX_TOLD
        named += f" and {more_paths:,} more" if more_paths > 0 else ""
        yield f"the profile has no op of {named}: there is no row of them, but of equal ones"
