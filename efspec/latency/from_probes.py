"""Times of the packages that `efspec latency probes` wrote, and the rows that follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from efspec.errors import Diagnostic, EfspecError, fail, suggestion
from efspec.latency.from_typed import COUNT, whole_number
from efspec.latency.profile import nanoseconds
from efspec.latency.sampling import DOUBTFUL, bend, intercept, slope
from efspec.latency.sheet import Cell, Column, Sheet
from efspec.latency.table import Figure
from efspec.latency.values import Given
from efspec.plan.key import BlockKey, parse_key
from efspec.record import Record

MANIFEST = "manifest.json"
MEDIANS = ("median", "prediction", "median prediction", "time", "p50")
FORMAT = 1
COLOURS = 3
"""Channels of what whole networks take, and parts within them do not."""


class Probe(Record):
    """A package of a manifest.

    Attributes:
        key: Key of the part that it measures.
        copies: How many copies of it are in it.
    """

    key: BlockKey
    copies: int


class Times(Record):
    """How long a package takes, in nanoseconds.

    Attributes:
        p50: Median.
        p10: What a tenth of the samples stay below; the median where it is not known.
        p90: What a tenth of the samples exceed.
        n: How many samples; None if not known.
    """

    p50: int
    p10: int
    p90: int
    n: int | None


class Differenced(Record):
    """What times of packages say.

    Attributes:
        rows: Latency of each part.
        network: What a network costs beside its parts, by the packages of whole networks' stems;
            None if there are none.
        doubts: What should be measured again, and why.
        left_out: Parts of which too few packages were timed.
    """

    rows: Mapping[BlockKey, Figure]
    network: Figure | None
    doubts: tuple[str, ...]
    left_out: tuple[str, ...]


def read_manifest(root: Given) -> dict[str, Probe]:
    """The packages of a manifest by their files.

    Raises:
        EfspecError: When it is none, or something in it is wrong.
    """
    packages = root.get("packages")
    if root.get("efspec").value != FORMAT or not isinstance(packages.value, list):
        raise fail(
            "not-a-profile",
            "this is no manifest of packages",
            file=root.source.name,
            expected=f"the {MANIFEST} that `efspec latency probes` wrote",
        )
    found = {}
    for one in packages.items():
        key, copies = parse_key(one.get("key").text()), one.get("copies")
        if key is None:
            raise one.get("key").wrong("a block key")
        if type(copies.value) is not int or copies.value < 1:
            raise copies.wrong("an integer from 1")
        found[one.get("file").text()] = Probe(key, copies.value)
    return found


def is_times(sheet: Sheet) -> bool:
    """Whether a table is one of packages' times."""
    return "file" in sheet.columns


def read_times(sheet: Sheet, probes: Mapping[str, Probe]) -> dict[str, Times]:
    """The times of packages by their files; a package may be there several times, once a run.

    Raises:
        EfspecError: When a file is not in the manifest, or a time is none; with every mistake.
    """
    middle = sheet.column(MEDIANS)
    if middle is None:
        raise fail(
            "bad-row",
            "no column holds times",
            expected="file, median_ms, and if they are known p10_ms, p90_ms and n",
            **sheet.source.place(0, 0),
        )
    mistakes: list[Diagnostic] = []
    runs: dict[str, list[Times]] = defaultdict(list)
    for cells in sheet.rows:
        file = cells[sheet.columns["file"].number]
        if not cells[middle.number].text:
            continue  # not measured yet
        if file.text not in probes:
            mistakes.append(_no_probe(file, probes))
            continue
        try:
            runs[file.text].append(_times(sheet, cells, middle))
        except EfspecError as error:
            mistakes += error.diagnostics
    if mistakes:
        raise EfspecError(mistakes)
    return {file: _together(times) for file, times in runs.items()}


def differenced(times: Mapping[str, Times], probes: Mapping[str, Probe], file: str) -> Differenced:
    """The rows that times say: of each part, what one copy more takes.

    Args:
        times: Times of packages by their files.
        probes: What is in the packages.
        file: Where the times are, for diagnostics.

    Raises:
        EfspecError: When more copies of a part take no longer than fewer; one for each such part.
    """
    of_key: dict[BlockKey, dict[int, Times]] = defaultdict(dict)
    for name, probe in probes.items():
        by_copies = of_key[probe.key]
        if name in times:
            by_copies[probe.copies] = times[name]
    rows, doubts, left_out, fixed = {}, [], [], []
    mistakes: list[Diagnostic] = []
    for key, by_copies in of_key.items():
        if len(by_copies) < 2:
            left_out.append(key.text)
            continue
        medians = {copies: one.p50 for copies, one in by_copies.items()}
        if slope(medians) <= 0:
            mistakes.append(_no_slope(key, medians, file))
            continue
        rows[key] = _figure(by_copies)
        bent = bend([medians])
        if abs(bent) > DOUBTFUL:
            doubts.append(f"{key}: the packages between are off the line by {bent:+.0%}")
        if key.input[0] == COLOURS and key.type != "Head":
            fixed.append(max(0, round(intercept(medians))))
    if mistakes:
        raise EfspecError(mistakes)
    return Differenced(rows, _network(fixed), tuple(doubts), tuple(left_out))


def _times(sheet: Sheet, cells: Sequence[Cell], middle: Column) -> Times:
    def time(column: Column | None) -> int | None:
        if column is None or not cells[column.number].text:
            return None
        cell = cells[column.number]
        return nanoseconds(cell.milliseconds(column.unit), cell.place())

    p50 = time(middle)
    assert p50 is not None  # rows without are left out
    p10, p90 = time(sheet.columns.get("p10")), time(sheet.columns.get("p90"))
    low, high = p50 if p10 is None else p10, p50 if p90 is None else p90
    if not low <= p50 <= high:
        place = cells[middle.number].place()
        raise fail("not-in-order", "p10, the median and p90 do not rise", **place)
    count = sheet.column(COUNT)
    known = count is not None and cells[count.number].text
    n = whole_number(cells[count.number]) if count is not None and known else None
    return Times(p50, low, high, n)


def _together(runs: list[Times]) -> Times:
    """Several runs of a package as one: the median of medians, and the widest range."""
    n = sum(one.n for one in runs if one.n) or None
    low, high = min(one.p10 for one in runs), max(one.p90 for one in runs)
    return Times(round(median(one.p50 for one in runs)), low, high, n)


def _figure(by_copies: Mapping[int, Times]) -> Figure:
    few, many = min(by_copies), max(by_copies)
    one, other, more = by_copies[few], by_copies[many], many - few
    p50 = round((other.p50 - one.p50) / more)
    p10, p90 = max(0, (other.p10 - one.p90) // more), -((one.p10 - other.p90) // more)
    known = (p10, p90) != (p50, p50) and any(t.p10 < t.p90 for t in (one, other))
    counts = [times.n for times in (one, other) if times.n]
    return Figure(
        p50_ns=p50,
        p10_ns=min(p10, p50) if known else None,
        p90_ns=max(p90, p50) if known else None,
        n=min(counts) if len(counts) == 2 else None,
        method="differenced",
    )


def _network(fixed: list[int]) -> Figure | None:
    if not fixed:
        return None
    several = len(fixed) > 1
    return Figure(
        p50_ns=round(median(fixed)),
        p10_ns=min(fixed) if several else None,
        p90_ns=max(fixed) if several else None,
        n=len(fixed) if several else None,
        method="differenced",
    )


def _no_probe(file: Cell, probes: Mapping[str, Probe]) -> Diagnostic:
    return Diagnostic(
        "no-such-package",
        f"{file.text[:80]!a} is not in the manifest",
        expected=f"a package of {MANIFEST}, as it is called there",
        fix=suggestion(file.text[:80], probes),
        **file.place(),
    )


def _no_slope(key: BlockKey, medians: Mapping[int, float], file: str) -> Diagnostic:
    shown: Iterator[str] = (f"{n} take {medians[n] / 1e6:g} ms" for n in sorted(medians))
    return Diagnostic(
        "no-slope",
        f"more copies of {key} take no longer: {', '.join(shown)}",
        fix="measure these packages again, on a cool device, in another order",
        file=file,
    )
