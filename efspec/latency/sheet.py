"""Tables that people type or copy: CSV or TSV, with lines `field, value` before the header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence

from efspec.errors import EfspecError, fail
from efspec.latency.profile import MAX_OPS, too_many
from efspec.record import Record
from efspec.spec.source_map import Place, Source

KEYS = ("file", "name", "output", "op name", "operation name", "layer", "op", "operation")
"""Words for the column that says what a row is of, the most exact first."""
MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3}
"""Milliseconds in each unit of time; there are two characters for micro."""

_UNIT = "|".join([*MS, "%"])
_WORD = re.compile(rf"(.*?)(?:\s+|\s*[(\[]\s*)({_UNIT})\s*[)\]]?")
_QUANTITY = re.compile(rf"(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\s*({_UNIT})?", re.IGNORECASE)


class Cell(Record):
    """A text of a table, and where it stands.

    Attributes:
        text: The text, without what is around it.
        source: The file.
        line: Its line, counted from 0.
        column: Its column, counted from 0.
    """

    text: str
    source: Source
    line: int
    column: int

    def place(self) -> Place:
        """Where it stands."""
        return self.source.place(self.line, self.column)

    def quantity(self, unit: str) -> tuple[float, str]:
        """A number and its unit, which is `unit` where it has none of its own.

        Raises:
            EfspecError: When it is something else.
        """
        match = _QUANTITY.fullmatch(self.text)
        value = float(match[1]) if match else float("inf")
        if match is None or value == float("inf"):
            raise fail(
                "bad-time",
                f"{self.text[:40]!a} is no time and no share",
                expected=f"a number, alone or with one of {', '.join([*MS, '%'])}",
                **self.place(),
            )
        return value, (match[2] or unit).lower()

    def milliseconds(self, unit: str) -> float:
        """A time.

        Raises:
            EfspecError: When it is something else.
        """
        value, own = self.quantity(unit or "ms")
        if own not in MS:
            raise fail("bad-time", f"{self.text!a} is no time", expected="0.31 ms", **self.place())
        return value * MS[own]


class Column(Record):
    """A column of a table.

    Attributes:
        number: Which it is, counted from 0.
        unit: The unit that its header names; empty if none.
    """

    number: int
    unit: str


class Sheet(Record):
    """A table.

    Attributes:
        source: The file.
        facts: The values before the header by their words, each with the unit of its word.
        columns: The columns by the words of the header; none if there is no header.
        rows: What is below the header.
    """

    source: Source
    facts: Mapping[str, tuple[Cell, Cell, str]]
    columns: Mapping[str, Column]
    rows: Sequence[Sequence[Cell]]

    def column(self, words: Sequence[str]) -> Column | None:
        """The column that is called by one of some words, the first of them that is there."""
        return next((self.columns[word] for word in words if word in self.columns), None)


def read_sheet(source: Source) -> Sheet:
    """The table in a text.

    Raises:
        EfspecError: When a row has not the columns of the header, or there are too many.
    """
    lines = _lines(source)
    facts: dict[str, tuple[Cell, Cell, str]] = {}
    columns: dict[str, Column] = {}
    rows: list[list[Cell]] = []
    for cells in lines:
        words = [_word(cell.text) for cell in cells]
        if columns:
            rows.append(_row(cells, len(columns)))
            if len(rows) > MAX_OPS:
                raise too_many(source)
        elif any(word in KEYS for word, _ in words):
            columns = {word: Column(i, unit) for i, (word, unit) in enumerate(words)}
            if len(columns) < len(words):
                raise fail("duplicate-key", "two columns of one name", **cells[0].place())
        elif len(cells) >= 2 and cells[1].text:
            word, unit = words[0]
            if word in facts:
                message = f"`{cells[0].text}` is here twice"
                raise fail("duplicate-key", message, fix="remove one", **cells[0].place())
            facts[word] = (cells[0], cells[1], unit)
        else:
            raise _no_row(cells[0], "`field, value`, or a header with a column `name` or `file`")
    return Sheet(source, facts, columns, rows)


def _lines(source: Source) -> Iterator[list[Cell]]:
    text = source.text
    first = next((line for line in source.lines if line.strip() and line[0] != "#"), "")
    delimiter = "\t" if "\t" in text else ";" if ";" in first and "," not in first else ","
    for number, line in enumerate(source.lines):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            (values,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True)
        except (csv.Error, ValueError):
            place = source.place(number, 0)
            raise fail("bad-row", "its quotes do not match", **place) from None
        cells, at = [], 0
        for value in values:
            at = max(line.find(value.strip(), at), at)
            cells.append(Cell(value.strip(), source, number, at))
            at += len(value.strip())
        while len(cells) > 1 and not cells[-1].text:  # spreadsheets pad rows
            cells.pop()
        yield cells


def _row(cells: list[Cell], columns: int) -> list[Cell]:
    if len(cells) > columns:
        raise _no_row(cells[columns], f"{columns} columns, as the header has")
    last = cells[-1]
    empty = Cell("", last.source, last.line, last.column + len(last.text))
    return cells + [empty] * (columns - len(cells))


def _no_row(cell: Cell, expected: str) -> EfspecError:
    return fail("bad-row", f"{cell.text[:40]!a} is no row", expected=expected, **cell.place())


def _word(text: str) -> tuple[str, str]:
    """A header's or field's word, and the unit that stands behind it."""
    text = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    match = _WORD.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")
