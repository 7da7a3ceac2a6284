"""Changing a tree: a spec over the one that it extends, and single elements through `set`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from efspec.blocks.options import counted
from efspec.errors import Diagnostic, suggestion
from efspec.spec.files import decode
from efspec.spec.source_map import MAX_DEPTH, Node, Place, Source, field_text
from efspec.spec.yaml_reader import read_yaml

MAX_CHANGES = 1000
"""How many changes `set` may hold: each is made on what the others left."""
MAX_COMPARED = 100
"""How many fields are looked through for one that may have been meant; no part has as many."""


def merge(base: Node, over: Node) -> Node:
    """A tree over another: mappings merge, everything else replaces.

    Where `over` says another `type`, nothing of the base's mapping applies: its other fields
    are those of the type it had.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    own, inherited = over.value.get("type"), base.value.get("type")
    if own and inherited and own.value != inherited.value:
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, over.source, over.at, over.key_at)


class Change(NamedTuple):
    """A change that is asked for outside of the spec.

    Attributes:
        path: The field, as in `stages.2.width`.
        value: Its new value, as YAML.
        origin: What diagnostics call it: what the user wrote.
    """

    path: str
    value: str
    origin: str


Option = str | Change
"""A change; as a string, one of `--set`, such as `stages.2.width=128`."""


def apply_options(root: Node, options: Sequence[Option], mistakes: list[Diagnostic]) -> Node:
    """A tree after changes, in order."""
    for option in options:
        change = option if isinstance(option, Change) else _change(option, mistakes)
        if change is None:
            continue
        source = Source(change.origin, first_line=0)
        value = Node(None, source)
        if change.value.strip():
            value = read_yaml(decode(change.value, change.origin, first_line=0), mistakes)
        root = assign(root, change.path, value, source.place(0, 0), mistakes)
    return root


def _change(option: str, mistakes: list[Diagnostic]) -> Change | None:
    """What a `--set` option asks for."""
    path, equals, value = option.partition("=")
    if equals:
        return Change(path.strip(), value, f"--set {option}")
    mistakes.append(
        Diagnostic(
            name="bad-set",
            message="there is no `=` in it",
            expected="a field and a value, such as `stages.2.width=128`",
            file=f"--set {option}",
        )
    )
    return None


def apply_changes(root: Node, changes: Node, mistakes: list[Diagnostic]) -> Node:
    """A tree after the changes of a `set` field."""
    if not isinstance(changes.value, dict):
        mistakes.append(
            Diagnostic(
                name="wrong-type",
                message="it is not a mapping",
                field="set",
                expected="fields and values, such as {stages.2.width: 128}",
                **changes.place(),
            )
        )
        return root
    if len(changes.value) > MAX_CHANGES:
        mistakes.append(
            Diagnostic(
                name="too-many-values",
                message=counted(len(changes.value), "change"),
                field="set",
                expected=f"at most {MAX_CHANGES:,}",
                fix="write the fields themselves",
                **changes.place(),
            )
        )
        return root
    for path, node in changes.value.items():
        root = assign(root, path, node, node.key_place(), mistakes)
    return root


def assign(root: Node, path: str, value: Node, place: Place, mistakes: list[Diagnostic]) -> Node:
    """A tree with one element replaced.

    A field that is not written yet is added, so that defaults can be changed; whether there is
    such a field is checked with the rest of the spec. An element of a list must be there.

    Args:
        root: The tree.
        path: Names and list indices, joined by dots; `stages[2]` is understood as well.
        value: The new element.
        place: Where the change is asked for.
        mistakes: Takes what is wrong with the path.
    """
    parts = path.replace("[", ".").replace("]", "").split(".")
    problem = _path_problem(root, parts)
    if problem:
        message, expected, fix = problem
        mistakes.append(
            Diagnostic(
                name="bad-set", message=message, field=path, expected=expected, fix=fix, **place
            )
        )
        return root
    return _replaced(root, parts, value)


def _path_problem(root: Node, parts: list[str]) -> tuple[str, str, str] | None:
    """What is wrong with a path, what is expected, and a fix."""
    example = "names and list indices joined by dots, such as `stages.2.width`"
    if not all(parts):
        return "a part of the path is empty", example, ""
    if parts[0] in ("extends", "set"):
        return f"`{parts[0]}` itself cannot be set", "a field of the network", ""
    if len(parts) > MAX_DEPTH:
        return f"a path of {len(parts)} parts", f"at most {MAX_DEPTH}", ""
    node: Node | None = root
    for depth, part in enumerate(parts):
        if node is None:
            if part.isdecimal():
                return f"`{'.'.join(parts[:depth])}` is not there", "a list that is there", ""
            continue
        so_far = field_text(tuple(int(p) if _is_index(p) else p for p in parts[:depth]))
        children = node.value
        if isinstance(children, list):
            if not part.isdecimal():
                return f"`{so_far}` is a list, and `{part}` is no index of it", example, ""
            if not _is_index(part) or int(part) >= len(children):
                last = f"an index from 0 to {len(children) - 1}" if len(children) > 1 else "0"
                entries = counted(len(children), "element")
                return f"`{so_far}` has {entries}, so there is no {part}", last, ""
            node = children[int(part)]
        elif isinstance(children, dict):
            if part not in children and part.isdecimal():
                return f"`{so_far}` is a mapping, and {part} is no field of it", example, ""
            if part not in children and depth + 1 < len(parts):
                near = suggestion(part, islice(children, MAX_COMPARED))
                if near:
                    return f"there is no `{part}` to change a part of", "", near
            node = children.get(part)
        else:
            fix = f"set `{'.'.join(parts[:depth])}` as a whole"
            return f"`{so_far}` is a single value, without parts", "", fix
    return None


def _is_index(part: str) -> bool:
    """Whether a part of a path can be an index; lists are never as long as more digits say."""
    return part.isdecimal() and len(part) <= 6


def _replaced(root: Node, parts: list[str], value: Node) -> Node:
    """The tree with the element at a path that fits; only the nodes along the path are new."""
    part, *rest = parts
    if isinstance(root.value, list):
        items = list(root.value)
        old = items[int(part)]
        items[int(part)] = _replaced(old, rest, value) if rest else value
        return Node(items, root.source, root.at, root.key_at)
    fields = dict(root.value) if isinstance(root.value, dict) else {}
    inner = fields.get(part) or Node({}, value.source, value.at, value.key_at)
    fields[part] = _replaced(inner, rest, value) if rest else value
    return Node(fields, root.source, root.at, root.key_at)
