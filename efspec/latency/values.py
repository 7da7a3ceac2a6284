"""Values of JSON documents of others, asked for by type, with their places for diagnostics."""

from __future__ import annotations

import math
from collections.abc import Iterator

from efspec.errors import EfspecError, fail
from efspec.spec.json_reader import parse_json, read_json
from efspec.spec.source_map import Loc, Place, Source, SourceMap, field_text

MAX_TEXT = 1000
"""The longest text that a profile's field may hold."""


class Given:
    """A value of a document, or none.

    Args:
        source: The document's text.
        value: The value.
        loc: Where it is.
    """

    def __init__(self, source: Source, value: object, loc: Loc = ()) -> None:
        self.source = source
        self.value = value
        self.loc = loc

    @property
    def field(self) -> str:
        """The value's place in words, such as `ops[3].weight`."""
        return field_text(self.loc)

    def get(self, *names: str) -> Given:
        """What is found below some names, one in the other; None where one of them is missing."""
        value, loc = self.value, self.loc
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
            loc = (*loc, name)
        return Given(self.source, value, loc)

    def items(self) -> Iterator[Given]:
        """The elements of a list; none where there is no list.

        Raises:
            EfspecError: When it is something else.
        """
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        for i, value in enumerate(self.value):
            yield Given(self.source, value, (*self.loc, i))

    def fields(self) -> Iterator[tuple[str, Given]]:
        """The fields of a mapping by their names; none where there is no mapping.

        Raises:
            EfspecError: When it is something else.
        """
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        for name, value in self.value.items():
            yield name, Given(self.source, value, (*self.loc, name))

    def text(self) -> str:
        """A text; empty where there is none.

        Raises:
            EfspecError: When it is something else, or too long.
        """
        if self.value is None:
            return ""
        if not isinstance(self.value, str) or len(self.value) > MAX_TEXT:
            raise self.wrong(f"a text of up to {MAX_TEXT:,} characters")
        return self.value

    def number(self) -> float | None:
        """A number from 0; None where there is none.

        Raises:
            EfspecError: When it is something else.
        """
        value = self.value
        if value is None:
            return None
        # An integer may be longer than any float, and JSON's 1e999 is infinite.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong("a number from 0")
        if not 0 <= value < math.inf:
            raise self.wrong("a number from 0")
        try:
            return float(value)
        except OverflowError:
            raise self.wrong("a number from 0") from None

    def place(self) -> Place:
        """Where it stands; the file alone where it is too long to tell."""
        try:
            return SourceMap(lambda: read_json(self.source, [])).place(self.loc)
        except EfspecError:
            return {"file": self.source.name, "line": 0, "column": 0, "source": ""}

    def wrong(self, expected: str) -> EfspecError:
        """An error about a value of another type."""
        shown = ascii(self.value) if isinstance(self.value, str | int | float) else "it"
        shown = shown if len(shown) <= 40 else f"{shown[:36]}..."
        return fail(
            "wrong-type",
            f"{shown} is something else",
            field=self.field,
            expected=expected,
            **self.place(),
        )


def document(source: Source) -> Given:
    """The value of a JSON text.

    Raises:
        EfspecError: When it is not JSON.
    """
    return Given(source, parse_json(source))
