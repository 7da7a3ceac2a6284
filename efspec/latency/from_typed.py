"""Reports of Xcode's that were typed or copied: a table of ops, and lines about the whole.

    prediction, 1.02 ms
    device, iPhone 12
    name, time (us), unit
    stem_conv1_conv, 31, Neural Engine

The whole can stand alone; then another file says how the ops share it.
"""

from __future__ import annotations

from collections.abc import Iterator

from efspec.errors import fail, suggestion
from efspec.latency.from_coremltools import PROTOCOL
from efspec.latency.profile import (
    Prediction,
    Profile,
    ProfiledOp,
    checked,
    nanoseconds,
    unit_of,
)
from efspec.latency.sheet import KEYS, MS, Cell, Column, Sheet

WEIGHTS = ("time", "estimated time", "duration", "cost", "share", "percent", "%", "weight")
"""Words for the column with an op's part of the whole."""
TIMES = ("time", "estimated time", "duration")
UNIT_COLUMNS = ("compute unit", "unit", "device", "backend")
WHOLE = {
    "prediction": ("prediction", "median prediction", "median", "predict", "total"),
    "p10": ("prediction p10", "p10"),
    "p90": ("prediction p90", "p90"),
    "load": ("load", "median load"),
    "compile": ("compile", "compilation", "median compile", "median compilation"),
}
"""Words for figures of the whole network."""
COUNT = ("n", "samples", "iterations")
PROTOCOL_WORDS = {"compute unit": "unit", "compute units": "unit", "system": "os"} | {
    name: name for name in PROTOCOL
}


def is_typed(sheet: Sheet) -> bool:
    """Whether a table is a report."""
    known = {word for words in WHOLE.values() for word in words}
    has_ops = bool(sheet.column(KEYS[1:]) and sheet.column(WEIGHTS))
    return has_ops or (not sheet.columns and bool(known & sheet.facts.keys()))


def typed_profile(sheet: Sheet) -> Profile:
    """The profile in a table.

    Raises:
        EfspecError: When something in it is wrong.
    """
    times = {what: _time(sheet, words) for what, words in WHOLE.items()}
    prediction = times["prediction"]
    known = [ns for what in ("p10", "prediction", "p90") if (ns := times[what]) is not None]
    if known != sorted(known):
        words = (*WHOLE["p10"], *WHOLE["p90"])
        key, _, _ = next(sheet.facts[word] for word in words if word in sheet.facts)
        message = "p10, the median and p90 do not rise"
        raise fail("not-in-order", message, field=key.text, **key.place())
    return Profile(
        file=sheet.source.name,
        format="typed report",
        prediction=Prediction(prediction, times["p10"], times["p90"], count_of(sheet))
        if prediction
        else None,
        ops=checked(_ops(sheet), sheet.source),
        load_ns=times["load"],
        compile_ns=times["compile"],
        said=said_in(sheet),
    )


def said_in(sheet: Sheet) -> dict[str, str]:
    """The fields of a protocol that stand before a table's header.

    Raises:
        EfspecError: When something else stands there.
    """
    known = {word for words in WHOLE.values() for word in words} | {*COUNT}
    said = {"runtime": "Core ML"}
    for word, (key, value, _) in sheet.facts.items():
        if word in PROTOCOL_WORDS:
            name = PROTOCOL_WORDS[word]
            said[name] = unit_of(value.text) if name == "unit" else value.text
        elif word not in known:
            raise fail(
                "unknown-field",
                "there is no such field",
                field=key.text,
                expected=", ".join(["prediction", "p10", "p90", "n", "load", "compile", *PROTOCOL]),
                fix=suggestion(word, {*known, *PROTOCOL_WORDS}),
                **key.place(),
            )
    return said


def count_of(sheet: Sheet) -> int | None:
    """How many samples a table says that there were."""
    for word in COUNT:
        if word in sheet.facts:
            return whole_number(sheet.facts[word][1])
    return None


def whole_number(cell: Cell) -> int:
    """A number of samples.

    Raises:
        EfspecError: When it is none.
    """
    if not (cell.text.isascii() and cell.text.isdecimal() and 0 < len(cell.text) < 10):
        raise fail(
            "bad-row",
            f"{cell.text[:40]!a} is no number of samples",
            expected="an integer from 1",
            **cell.place(),
        )
    return max(1, int(cell.text))


def _time(sheet: Sheet, words: tuple[str, ...]) -> int | None:
    for word in words:
        if word in sheet.facts:
            key, value, unit = sheet.facts[word]
            return nanoseconds(value.milliseconds(unit), value.place(), key.text)
    return None


def _ops(sheet: Sheet) -> Iterator[ProfiledOp]:
    name, weight = sheet.column(KEYS[1:]), sheet.column(WEIGHTS)
    if name is None or weight is None:
        return
    is_time = weight in [sheet.columns.get(word) for word in TIMES]
    units = sheet.column(UNIT_COLUMNS)
    first: tuple[Cell, str] | None = None
    for cells in sheet.rows:
        cell = cells[weight.number]
        if not cell.text or cell.text in ("-", "--", "—"):
            continue  # what takes no time of its own
        value, kind = _weight(cell, weight, is_time=is_time)
        if value and first is None:
            first = cell, kind
        if value and first is not None and kind != first[1]:
            raise fail(
                "mixed-units",
                f"{cell.text!a} and {first[0].text!a} do not add up",
                expected="times, or percentages, or shares, in all rows",
                **cell.place(),
            )
        unit = unit_of(cells[units.number].text) if units else ""
        yield ProfiledOp(cells[name.number].text, value, unit)


def _weight(cell: Cell, column: Column, *, is_time: bool) -> tuple[float, str]:
    """A number, and what it is: a time in milliseconds, a percentage or a share."""
    value, unit = cell.quantity(column.unit or ("ms" if is_time else ""))
    return (value * MS[unit], "time") if unit in MS else (value, unit)
