"""YAML text to a tree with positions: YAML 1.2 scalars, and no more of YAML than a spec needs.

The tree is built from the parser's events, not from PyYAML's own nodes, because those resolve
YAML 1.1 scalars, recurse, and expand aliases before anything could be checked.
"""

from __future__ import annotations

import re

import yaml

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.spec.files import empty_file
from efspec.spec.source_map import MAX_DEPTH, Node, Scalar, Source

MAX_ALIASES = 100
MAX_NODES = 100_000
MAX_DIGITS = 400

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}

_SYNTAX = {  # part of the parser's words: what we say, a fix, and whether the start is meant
    "mapping values are not allowed": (
        "a `:` where no field can begin",
        "indent this line as its neighbours, or put quotes around text that holds a colon",
        False,
    ),
    "expected ',' or ']'": ("this `[` is not closed", "add a `]`, or the missing comma", True),
    "expected ',' or '}'": ("this `{` is not closed", "add a `}`, or the missing comma", True),
    "unexpected end of stream": ("this quote is not closed", "add the closing quote", True),
    "could not find expected ':'": ("this line is no field", "write `name: value`", True),
    "unknown escape character": (
        "no such escape in a text in double quotes",
        "use single quotes, or write `\\\\` for a backslash",
        False,
    ),
    "did not find expected key": (
        "this does not fit to what stands above",
        "indent it as its neighbours, or put quotes around the text",
        False,
    ),
    "expected '-' indicator": (
        "this is no element of the list above",
        "begin it with `- `, or indent it as the list's parent",
        False,
    ),
    "tab character": ("a tab as indentation", "use spaces", False),
    "alphabetic or numeric": (
        "a mark without a name",
        "put quotes around text that begins with `*` or `&`",
        False,
    ),
    "comment or line break": (
        "nothing may stand here",
        "begin the text in the next line, or put quotes around it all",
        False,
    ),
    "incompatible YAML document": ("a version of YAML that is not read", "remove it", False),
    "expected node content": ("a value is missing here", "write one, or remove this", False),
    "expected <document start>": (
        "something follows the end of the spec",
        "remove it; a file holds one spec",
        False,
    ),
}


def read_yaml(source: Source, mistakes: list[Diagnostic]) -> Node:
    """The tree of a YAML text.

    Args:
        source: The text.
        mistakes: Takes the mistakes behind which reading can go on, such as duplicate keys.

    Raises:
        EfspecError: When it cannot go on; holds the earlier mistakes too.
    """
    reader = _Reader(source, mistakes)
    try:
        for event in yaml.parse(source.text, Loader=_Loader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise EfspecError([*mistakes, _syntax_mistake(source, error)]) from None
    except yaml.YAMLError as error:
        raise fail("yaml-syntax", str(error).splitlines()[0], file=source.name) from None
    except EfspecError as error:
        raise EfspecError([*mistakes, *error.diagnostics]) from None
    if reader.root is None:
        raise empty_file(source)
    return reader.root


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("anchor", "count", "depth", "key", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.count = 1  # nodes in it, aliases expanded
        self.depth = 1  # how deep it is nested, aliases expanded
        self.key: tuple[str | None, tuple[int, int]] | None = None


class _Reader:
    """Builds the tree from events, with a stack instead of recursion."""

    def __init__(self, source: Source, mistakes: list[Diagnostic]) -> None:
        self.source = source
        self.mistakes = mistakes
        self.root: Node | None = None
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        self.aliases = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self.check_tag(event)
            # Only what stands without quotes can be anything but a string.
            is_plain = not event.style
            value = self.scalar(event) if is_plain else event.value
            top = self.stack[-1] if self.stack else None
            if top and top.key is None and isinstance(top.node.value, dict):
                top.key = self.key(event, value, is_plain)
            else:
                self.add(self.node(value, event), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.check_tag(event)
            self.refuse_as_key(event, "a list or a mapping")
            self.refuse_depth(event, len(self.stack) + 1)
            empty: dict[str, Node] | list[Node]
            empty = {} if isinstance(event, yaml.MappingStartEvent) else []
            self.stack.append(_Open(self.node(empty, event), event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self.stack.pop()
            self.add(closed.node, closed.anchor, closed.count, closed.depth)
        elif isinstance(event, yaml.AliasEvent):
            self.refuse_as_key(event, "an alias")
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self.mistake(
                "several-documents",
                "a second document begins here",
                event,
                fix="remove it; a file holds one spec",
            )

    def key(
        self, event: yaml.ScalarEvent, value: Scalar, is_plain: bool
    ) -> tuple[str | None, tuple[int, int]]:
        """The name and position of a field; no name where it cannot be one."""
        if is_plain and value == "<<":
            # What it would have brought seems missing, so going on would mislead.
            raise self.mistake(
                "merge-key", "merge keys are not supported", event, fix="use `extends`"
            )
        if not isinstance(value, str):
            self.mistakes += self.mistake(
                "bad-key", f"`{event.value}` is no name of a field", event, expected="a name"
            ).diagnostics
            return None, _position(event)
        siblings = self.stack[-1].node.value
        assert isinstance(siblings, dict)  # only mappings have keys
        if event.value in siblings:
            line = self.source.first_line + (siblings[event.value].key_at or (0, 0))[0]
            self.mistakes += self.mistake(
                "duplicate-key",
                f"`{event.value}` is here twice; the first is in line {line}",
                event,
                fix="remove one of them",
            ).diagnostics
        return event.value, _position(event)

    def add(self, node: Node, anchor: str | None, count: int = 1, depth: int = 0) -> None:
        """Put a complete node where it belongs."""
        if anchor:
            self.anchors[anchor] = (node, count, depth)
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.count += count
        top.depth = max(top.depth, depth + 1)
        if top.count > MAX_NODES:
            raise fail(
                "too-many-values",
                f"more than {MAX_NODES:,} values, with aliases counted as what they stand for",
                **node.place(),
            )
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key:
            name, node.key_at = top.key
            if name is not None:
                top.node.value.setdefault(name, node)
            top.key = None

    def alias(self, event: yaml.AliasEvent) -> None:
        """Put what an alias stands for where the alias is."""
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self.mistake(
                "too-many-aliases", f"more than {MAX_ALIASES} aliases", event, fix="use `repeat`"
            )
        if event.anchor not in self.anchors:
            raise self.mistake(
                "unknown-alias",
                f"nothing before this is marked `&{event.anchor}`",
                event,
                fix="mark it, or put quotes around the text",
            )
        node, count, depth = self.anchors[event.anchor]
        self.refuse_depth(event, len(self.stack) + depth)
        self.add(self.node(node.value, event), None, count, depth)

    def scalar(self, event: yaml.ScalarEvent) -> Scalar:
        """The value of a scalar without quotes, by the core schema of YAML 1.2."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        if not text[0].isdigit() and text[0] not in "+-.":
            return str(text)
        if len(text) > MAX_DIGITS and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
            raise self.mistake("bad-number", f"a number of {len(text):,} characters", event)
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        special = _SPECIAL.fullmatch(text)
        return float(text.replace(".", "")) if special else str(text)

    def check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        """Refuse tags: what a value is follows from how it is written."""
        if event.tag:
            self.mistakes += self.mistake(
                "yaml-tag", f"the tag `{_short_tag(event.tag)}`", event, fix="remove the tag"
            ).diagnostics

    def refuse_depth(self, event: yaml.Event, depth: int) -> None:
        """Refuse what is nested too deep."""
        if depth > MAX_DEPTH:
            raise self.mistake(
                "too-deep", f"nested more than {MAX_DEPTH} deep", event, fix="flatten it"
            )

    def refuse_as_key(self, event: yaml.NodeEvent, what: str) -> None:
        """Refuse what is no scalar where a key is due."""
        top = self.stack[-1] if self.stack else None
        if top and top.key is None and isinstance(top.node.value, dict):
            raise self.mistake("bad-key", f"{what} is no name of a field", event, expected="a name")

    def node(self, value: dict[str, Node] | list[Node] | Scalar, event: yaml.NodeEvent) -> Node:
        """A node at an event."""
        return Node(value, self.source, _position(event))

    def mistake(
        self, name: str, message: str, event: yaml.Event, *, expected: str = "", fix: str = ""
    ) -> EfspecError:
        """A mistake at an event."""
        place = self.source.place(*_position(event))
        return fail(name, message, expected=expected, fix=fix, **place)


def _position(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark  # the parser marks all that it reads
    return event.start_mark.line, event.start_mark.column


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


def _syntax_mistake(source: Source, error: yaml.MarkedYAMLError) -> Diagnostic:
    problem = error.problem or "this is not YAML"
    message, fix, at_start = problem.removeprefix("found ").removeprefix("did not find "), "", False
    for words, ours in _SYNTAX.items():
        if words in problem:
            message, fix, at_start = ours
    mark = (at_start and error.context_mark) or error.problem_mark
    place = source.place(mark.line, mark.column) if mark else source.place(0, 0)
    character = place["source"][place["column"] - 1 : place["column"]]
    if "cannot start any token" in problem:
        message, fix = f"nothing can begin with '{character}'", "put quotes around the text"
        if character == "\t":
            message, fix, _ = _SYNTAX["tab character"]
    elif "expected key" in problem and character in ("]", "}"):
        message, fix = f"this `{character}` closes nothing", "remove it"
    return Diagnostic(name="yaml-syntax", message=message, fix=fix, **place)
