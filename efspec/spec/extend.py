"""`extends` and `set`: a complete spec from one that says only how it differs."""

from __future__ import annotations

import os
from pathlib import Path

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.spec.files import MAX_BYTES, decode, find, format_of, read_bytes
from efspec.spec.merge import apply_changes, merge
from efspec.spec.source_map import Node, require_fields
from efspec.spec.yaml_reader import read_yaml

MAX_CHAIN = 16
MAX_BASES = 2 * MAX_BYTES
"""Size of all that a spec extends, together."""


def complete(
    root: Node,
    folder: Path,
    mistakes: list[Diagnostic],
    chain: tuple[Path, ...] = (),
    left: int = MAX_BASES,
) -> Node:
    """A spec's tree over the one that it extends, with its `set` applied.

    Args:
        root: The tree as written.
        folder: What paths in it are relative to.
        mistakes: Takes the mistakes behind which one can go on.
        chain: The files that led here, in order.
        left: How many bytes may still be read.

    Raises:
        EfspecError: When what it extends cannot be read.
    """
    assert isinstance(root.value, dict)  # the caller has looked
    fields = dict(root.value)
    base, changes = fields.pop("extends", None), fields.pop("set", None)
    root = Node(fields, root.source, root.at, root.key_at)
    if base is not None:
        root = merge(_base(base, folder, mistakes, chain, left), root)
    return root if changes is None else apply_changes(root, changes, mistakes)


def _base(
    node: Node, folder: Path, mistakes: list[Diagnostic], chain: tuple[Path, ...], left: int
) -> Node:
    name = node.value
    if not isinstance(name, str):
        raise fail(
            "wrong-type",
            "it is no name and no path",
            field="extends",
            expected="a shipped name such as v2_s1, or a path relative to this file",
            **node.place(),
        )
    try:
        path = find(name, folder)
        _check_chain(path, chain)
        data, form = read_bytes(path), format_of(path)
        if len(data) > left:
            limit = f"{MAX_BASES // 1024:,} KiB"
            raise fail("file-too-large", f"what it extends is larger than {limit} together")
    except EfspecError as error:
        raise EfspecError(
            d.replaced(field="extends", **node.place()) for d in error.diagnostics
        ) from None
    source = decode(data, str(path))
    if form == "yaml":
        root = read_yaml(source, mistakes)
    else:
        from efspec.spec.json_reader import parse_json, read_json

        parse_json(source)  # for its mistakes
        root = read_json(source, mistakes)
    require_fields(root)
    return complete(root, path.parent, mistakes, (*chain, _real(path)), left - len(data))


def _check_chain(path: Path, chain: tuple[Path, ...]) -> None:
    if _real(path) in chain:
        names = [file.name for file in (*chain[chain.index(_real(path)) :], path)]
        raise fail("extends-cycle", " extends ".join(names), fix="extend another spec")
    if len(chain) > MAX_CHAIN:
        raise fail("extends-too-long", f"more than {MAX_CHAIN} specs that extend each other")


def _real(path: Path) -> Path:
    """A file behind all links; of links that lead in a circle, one of them."""
    return Path(os.path.realpath(path))
