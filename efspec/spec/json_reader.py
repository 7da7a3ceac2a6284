"""JSON text to plain values, fast, and to a tree with positions when something is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.spec.files import empty_file
from efspec.spec.source_map import MAX_DEPTH, Node, Source
from efspec.spec.yaml_reader import MAX_DIGITS, MAX_NODES

_TOKEN = r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+'

_SYNTAX = {  # part of the parser's words: what we say, and a fix
    "Expecting value": (
        "no value can begin here",
        "text stands in double quotes; true, false and null are in lower case",
    ),
    "Expecting property name": (
        "a name in double quotes is missing here",
        "write one, or remove the comma before this",
    ),
    "Illegal trailing comma": ("a comma before the end", "remove it"),
    "Expecting ':'": ("a `:` is missing here", 'write `"name": value`'),
    "Expecting ','": ("a comma or an end is missing here", "add `,`, `}` or `]`"),
    "Extra data": ("something follows the end of the spec", "remove it; this is to hold one spec"),
    "Unterminated string": ("this quote is not closed", "add the closing quote"),
    "control character": (
        "a tab or a line break within a text",
        "close the quote, or write `\\t` or `\\n`",
    ),
    "escape": ("no such escape in a text", "write `\\\\` for a backslash"),
}
_SURROGATE = r"\\u[dD][89a-fA-F]"


class _NeedsPositions(Exception):  # noqa: N818 - not an error: a request to read with positions
    """There is a mistake that only `read_json` can point at."""


def parse_json(source: Source) -> object:
    """The values of a JSON text.

    Raises:
        EfspecError: When it is not JSON, or has duplicate keys.
    """
    try:
        values = _DECODER.decode(source.text)
    except json.JSONDecodeError as error:
        raise _syntax_error(source, error) from None
    except (_NeedsPositions, RecursionError, ValueError):  # ValueError: an endless integer
        _check_rest(source)
        mistakes: list[Diagnostic] = []
        read_json(source, mistakes)
        raise EfspecError(mistakes) from None
    if re.search(_SURROGATE, source.text):
        read_json(source, [])  # refuses halves of characters
    return values


def _check_rest(source: Source) -> None:
    """Refuse what is not JSON behind a mistake that ended reading.

    Raises:
        EfspecError: When it is not.
    """
    try:
        json.loads(source.text)
    except json.JSONDecodeError as error:
        raise _syntax_error(source, error) from None
    except (RecursionError, ValueError):  # reading with positions ends at these, too
        pass


def read_json(source: Source, mistakes: list[Diagnostic]) -> Node:
    """The tree of a text that is JSON but for NaN, Infinity, depth and duplicate keys.

    Args:
        source: The text.
        mistakes: Takes the mistakes behind which reading can go on.

    Raises:
        EfspecError: When it cannot go on.
    """
    root = holder = Node([], source)
    stack = [holder]
    key: tuple[str, tuple[int, int]] | None = None
    positions = _Positions(source.text)
    for count, match in enumerate(re.finditer(_TOKEN, source.text)):
        token, at = match.group(), positions.at(match.start())
        top = stack[-1].value
        if token in (":", ","):
            continue
        if token in ("}", "]"):
            stack.pop()
            continue
        if count > 4 * MAX_NODES:  # a value comes with up to three marks
            raise fail("too-many-values", f"more than {MAX_NODES:,} values", **source.place(*at))
        if isinstance(top, dict) and key is None:
            key = (str(_scalar(token, source, at)), at)
            if key[0] in top:
                line = source.first_line + (top[key[0]].key_at or (0, 0))[0]
                mistakes.append(
                    Diagnostic(
                        name="duplicate-key",
                        message=f"`{key[0]}` is here twice; the first is in line {line}",
                        fix="remove one of them",
                        **source.place(*at),
                    )
                )
            continue
        value: Any = {} if token == "{" else [] if token == "[" else _scalar(token, source, at)
        node = Node(value, source, at, key[1] if key else None)
        if isinstance(top, list):
            top.append(node)
        elif isinstance(top, dict) and key:
            top.setdefault(key[0], node)
            key = None
        if token in ("{", "["):
            if len(stack) > MAX_DEPTH:
                raise fail(
                    "too-deep",
                    f"nested more than {MAX_DEPTH} deep",
                    fix="flatten it",
                    **source.place(*at),
                )
            stack.append(node)
    assert isinstance(root.value, list)  # it holds the text's one value
    return root.value[0]


class _Positions:
    """Line and column of growing offsets."""

    def __init__(self, text: str) -> None:
        self.breaks = [match.end() for match in re.finditer("\r\n|[\r\n\x85\u2028\u2029]", text)]
        self.line = 0

    def at(self, offset: int) -> tuple[int, int]:
        while self.line < len(self.breaks) and self.breaks[self.line] <= offset:
            self.line += 1
        return self.line, offset - (self.breaks[self.line - 1] if self.line else 0)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _NeedsPositions
    return values


def _refuse(constant: str) -> object:
    raise _NeedsPositions(constant)


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse)


def _scalar(token: str, source: Source, at: tuple[int, int]) -> object:
    if len(token) > MAX_DIGITS and not token.startswith('"'):
        message = f"a number of {len(token):,} characters"
        raise fail("bad-number", message, **source.place(*at))
    if token in ("NaN", "Infinity", "-Infinity"):
        message = f"{token} is not JSON"
        raise fail("json-syntax", message, expected="a finite number", **source.place(*at))
    value = json.loads(token)
    if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
        fix = "write both halves of the pair, or the character itself"
        raise fail("bad-character", "half of a character", fix=fix, **source.place(*at))
    return value


def _syntax_error(source: Source, error: json.JSONDecodeError) -> EfspecError:
    if not source.text.strip():
        return empty_file(source)
    message, fix = "this is not JSON", ""
    for words, ours in _SYNTAX.items():
        if words in error.msg:
            message, fix = ours
    offset = min(error.pos, len(source.text.rstrip()))
    return fail("json-syntax", message, fix=fix, **source.place_at(offset))
