"""Where each value of a spec was written: trees of values with positions, and look-ups in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypedDict

from efspec.errors import Diagnostic, fail

Scalar = str | int | float | bool | None
Loc = tuple[str | int, ...]
"""Keys and list indices that lead to a value, as pydantic writes them."""
Mistake = tuple[Loc, Diagnostic]
"""What is wrong, and the field that causes it."""

MAX_DEPTH = 32
"""How deep a spec may be nested."""

_LINE_BREAK = "\r\n|[\r\n\x85\u2028\u2029]"


class Source:
    """A text that specs are read from.

    Attributes:
        name: What diagnostics call it: a path, or what a user typed.
        text: The text.
        first_line: Number of its first line, which is not 1 where it is a line of a larger file;
            0 for what has no lines, such as an option.
    """

    def __init__(self, name: str, text: str = "", first_line: int = 1) -> None:
        self.name = name
        self.text = text
        self.first_line = first_line

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without what ends them."""
        return re.split(_LINE_BREAK, self.text)

    def place(self, line: int, column: int) -> Place:
        """A position for a diagnostic.

        Args:
            line: Line of the text, counted from 0.
            column: Column, counted from 0.
        """
        if not self.first_line:
            return {"file": self.name, "line": 0, "column": 0, "source": ""}
        if line == len(self.lines) - 1 > 0 and not self.lines[line]:
            # What is missing at the end is missed behind the last line that has something.
            line -= 1
            column = len(self.lines[line])
        return {
            "file": self.name,
            "line": self.first_line + line,
            "column": column + 1,
            "source": self.lines[line] if line < len(self.lines) else "",
        }

    def place_at(self, offset: int) -> Place:
        """The position of a character of the text, counted from 0."""
        before = re.split(_LINE_BREAK, self.text[:offset])
        return self.place(len(before) - 1, len(before[-1]))


class Place(TypedDict):
    """The part of a diagnostic that says where it is."""

    file: str
    line: int
    column: int
    source: str


class Node:
    """A value and where it was written. Nodes may be shared, so they are not changed once read.

    Attributes:
        value: A scalar, a list of nodes, or a mapping from names to nodes.
        source: The text it stands in.
        at: Its line and column, counted from 0.
        key_at: Line and column of the key it stands under, if it stands under one.
    """

    __slots__ = ("at", "key_at", "source", "value")

    def __init__(
        self,
        value: dict[str, Node] | list[Node] | Scalar,
        source: Source,
        at: tuple[int, int] = (0, 0),
        key_at: tuple[int, int] | None = None,
    ) -> None:
        self.value = value
        self.source = source
        self.at = at
        self.key_at = key_at

    def place(self) -> Place:
        """Where the value is."""
        return self.source.place(*self.at)

    def key_place(self) -> Place:
        """Where the value's key is; the value itself, if it has none."""
        return self.source.place(*(self.key_at or self.at))


class SourceMap:
    """Finds the place of a field in what a spec was read from.

    Args:
        tree: The tree, or what gives it. That is asked only when a place is wanted, which is
            when something is wrong, so that reading a correct spec may do without positions.
    """

    def __init__(self, tree: Node | Callable[[], Node]) -> None:
        self._tree = tree

    @cached_property
    def root(self) -> Node:
        """The tree."""
        return self._tree if isinstance(self._tree, Node) else self._tree()

    def node(self, loc: Loc) -> Node | None:
        """The node at a location, if there is one."""
        *_, (reached, node) = self._descend(loc)
        return node if reached == len(loc) else None

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Where a field is written, or the nearest thing around it that is.

        Args:
            loc: Keys and indices of the field.
            key: Whether its name is meant, and not its value.
        """
        *_, (reached, node) = self._descend(loc)
        return node.key_place() if key and reached == len(loc) else node.place()

    def _descend(self, loc: Loc) -> Iterator[tuple[int, Node]]:
        node = self.root
        yield 0, node
        for depth, part in enumerate(loc, 1):
            child = _child(node, part)
            if child is None:
                return
            node = child
            yield depth, node


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(part, str):
        return node.value.get(part)
    if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def require_fields(root: Node) -> None:
    """Refuse what is no mapping.

    Raises:
        EfspecError: When the text holds a list or a single value.
    """
    if not isinstance(root.value, dict):
        raise fail(
            "no-fields",
            "a spec is a mapping, and this is none",
            expected="fields such as `efspec: 1`",
            **root.place(),
        )


def field_text(loc: Loc) -> str:
    """A location as people write it: `stages[2].blocks[0].expansion_ratio`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def placed(mistakes: Iterable[Mistake], source_map: SourceMap | None) -> list[Diagnostic]:
    """Each mistake once, with its field and, if that is known, where it was written."""
    found = []
    for loc, diagnostic in dict.fromkeys(mistakes):
        diagnostic = diagnostic.replaced(field=field_text(loc))
        if source_map:
            diagnostic = diagnostic.replaced(**source_map.place(loc))
        found.append(diagnostic)
    return found


def plain(node: Node) -> object:
    """The values of a tree without their positions."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def tree(data: object, source: Source, depth: int = 0) -> Node:
    """A tree of plain values, which have no positions.

    Raises:
        EfspecError: When they are nested too deep or hold themselves, or a key is no string.
    """
    if depth > MAX_DEPTH:
        raise fail("too-deep", f"nested more than {MAX_DEPTH} deep", file=source.name)
    if isinstance(data, Mapping):
        for key in data:
            if not isinstance(key, str):
                message = f"`{key!a}` is no name of a field"
                raise fail("bad-key", message, expected="a name", file=source.name)
        fields = {key: tree(value, source, depth + 1) for key, value in data.items()}
        return Node(fields, source)
    if isinstance(data, list | tuple):
        return Node([tree(value, source, depth + 1) for value in data], source)
    return Node(data, source)  # type: ignore[arg-type]  # what it is not, the checks will find
