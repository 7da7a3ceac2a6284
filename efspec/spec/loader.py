"""Reading specs: from files, shipped names, text and dictionaries; one, or a stream of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.spec.extend import complete
from efspec.spec.files import (
    FORMATS,
    JSON_LINES,
    MAX_BYTES,
    decode,
    empty_file,
    find,
    format_of,
    opened,
    read_bytes,
)
from efspec.spec.kinds import is_space
from efspec.spec.merge import Option, apply_options
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Node, Source, SourceMap, placed, plain, require_fields, tree
from efspec.spec.yaml_reader import read_yaml

MAX_SKIPPED = 256 * MAX_BYTES
"""How much of a line that is too long is skipped before giving up: some devices never end one."""
MAX_SHOWN = 100
"""How many mistakes of one spec are told."""


def load(
    source: str | Path | Mapping[str, object],
    *,
    set: Sequence[Option] = (),
    input_format: str | None = None,
) -> NetworkSpec:
    """The spec of a file, of a shipped name such as `v2_s1`, or of a dictionary.

    Args:
        source: Path, shipped name, `-` for standard input, or a spec as plain values.
        set: Changes such as `stages.2.width=128`, applied last, in order.
        input_format: `yaml`, `json` or `jsonl`; by default what the file's name says, and YAML
            for standard input.

    Raises:
        EfspecError: When there is no such spec, or it is wrong; holds all mistakes found.
    """
    if isinstance(source, Mapping):
        return _from_dict(source, set)
    if source == "-":
        text = sys.stdin.buffer.read(MAX_BYTES + 1)
        return loads(text, name="<stdin>", set=set, input_format=input_format or "yaml")
    path = find(source, Path())
    text = read_bytes(path)  # first, because a folder has no format
    form = input_format or format_of(path)
    return loads(text, name=str(path), set=set, input_format=form, folder=path.parent)


def loads(
    text: str | bytes,
    *,
    name: str = "<text>",
    set: Sequence[Option] = (),
    input_format: str = "yaml",
    folder: Path | None = None,
) -> NetworkSpec:
    """The spec of a text.

    Args:
        text: The text, or its bytes in UTF-8.
        name: What diagnostics call it.
        set: Changes such as `stages.2.width=128`, applied last, in order.
        input_format: `yaml`, `json` or `jsonl`.
        folder: What paths in it are relative to; by default the working directory.

    Raises:
        EfspecError: When it is wrong; holds all mistakes found.
    """
    folder = folder or Path()
    if input_format == "jsonl":
        return _only(text, name, set, folder)
    return _from_source(decode(text, name), input_format, set, folder)


def load_tree(root: Node, *, folder: Path | None = None) -> NetworkSpec:
    """The spec of a tree, which may be a part of a larger text.

    Args:
        root: The tree.
        folder: What paths in it are relative to; by default the working directory.

    Raises:
        EfspecError: When it is wrong; holds all mistakes found.
    """
    return _from_tree(root, [], (), folder or Path())


def load_all(
    source: str | Path | BinaryIO,
    *,
    set: Sequence[Option] = (),
    input_format: str | None = None,
) -> Iterator[NetworkSpec | EfspecError]:
    """Every spec of a file or stream, in order; in the place of a wrong one, what is wrong.

    JSON Lines hold one spec per line, other formats hold one in all. Lines are read as they are
    asked for, so there may be any number of them. A wrong spec does not end the run: its error
    is yielded, not raised.

    Args:
        source: Path, shipped name, `-` for standard input, or a binary stream.
        set: Changes for every spec, as for `load`.
        input_format: As for `load`.

    Raises:
        EfspecError: When there is no such file, or it cannot be read.
    """
    if isinstance(source, str | Path) and source != "-":
        path = find(source, Path())
        if (input_format or path.suffix) not in JSON_LINES:
            yield _result(partial(load, source, set=set, input_format=input_format))
            return
        with opened(path) as stream:
            yield from _lines(stream, str(path), set, path.parent)
        return
    stream = sys.stdin.buffer if isinstance(source, str | Path) else source
    name = "<stdin>" if source == "-" else str(getattr(stream, "name", "<stream>"))
    if input_format == "jsonl":
        yield from _lines(stream, name, set, Path())
    else:
        text, form = stream.read(MAX_BYTES + 1), input_format or "yaml"
        yield _result(partial(loads, text, name=name, set=set, input_format=form))


def _result(read: Callable[[], NetworkSpec]) -> NetworkSpec | EfspecError:
    try:
        return read()
    except EfspecError as error:
        return error


def _lines(
    stream: BinaryIO, name: str, options: Sequence[Option], folder: Path
) -> Iterator[NetworkSpec | EfspecError]:
    number = 0
    while line := stream.readline(MAX_BYTES + 1):
        number += 1
        rest, skipped = line, 0
        while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):  # skip what is too long
            rest, skipped = stream.readline(MAX_BYTES + 1), skipped + len(rest)
            if skipped > MAX_SKIPPED:
                yield _result(partial(_from_line, line, name, number, options, folder))
                return
        if line.strip():
            yield _result(partial(_from_line, line.rstrip(b"\r\n"), name, number, options, folder))


def _from_line(
    line: bytes, name: str, number: int, options: Sequence[Option], folder: Path
) -> NetworkSpec:
    from efspec.spec.quick import read_quickly  # YAML need not wait for it

    source = decode(line, name, number)
    spec = None if options else read_quickly(source)
    return spec or _from_source(source, "json", options, folder)


def _only(text: str | bytes, name: str, options: Sequence[Option], folder: Path) -> NetworkSpec:
    """The spec of JSON Lines that are to hold one."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    results = list(_lines(io.BytesIO(data), name, options, folder))
    if not results:
        raise empty_file(Source(name))
    if len(results) > 1:
        message = f"{len(results):,} specs, where one is wanted"
        raise fail("several-specs", message, file=name)
    if isinstance(results[0], EfspecError):
        raise results[0]
    return results[0]


def _from_dict(data: Mapping[str, object], options: Sequence[Option]) -> NetworkSpec:
    root = partial(tree, data, Source("", first_line=0))
    if not options and "extends" not in data and "set" not in data:
        return _checked(dict(data), SourceMap(root), [])
    return _from_tree(root(), [], options, Path())


def _from_source(source: Source, form: str, options: Sequence[Option], folder: Path) -> NetworkSpec:
    mistakes: list[Diagnostic] = []
    if form not in FORMATS:
        raise fail("unknown-format", f"there is no format {form!a}", expected=", ".join(FORMATS))
    if form == "yaml":
        return _from_tree(read_yaml(source, mistakes), mistakes, options, folder)
    from efspec.spec.json_reader import parse_json, read_json  # YAML need not wait for it

    data = parse_json(source)
    if not options and isinstance(data, dict) and "extends" not in data and "set" not in data:
        return _checked(data, SourceMap(partial(read_json, source, [])), [])
    return _from_tree(read_json(source, mistakes), mistakes, options, folder)


def _from_tree(
    root: Node, mistakes: list[Diagnostic], options: Sequence[Option], folder: Path
) -> NetworkSpec:
    require_fields(root)
    try:
        root = apply_options(complete(root, folder, mistakes), options, mistakes)
    except EfspecError as error:
        raise EfspecError(shown([*mistakes, *error.diagnostics])) from None
    return _checked(plain(root), SourceMap(root), mistakes)


def _checked(data: object, source_map: SourceMap, mistakes: list[Diagnostic]) -> NetworkSpec:
    try:
        spec = NetworkSpec.model_validate(data)
    except ValidationError as error:
        if is_space(data):
            raise fail(
                "is-a-space",
                "this is a search space, and a network is wanted",
                fix="name a member of it: `efspec search sample` writes some",
                **source_map.root.place(),
            ) from None
        # Not to be waited for when all is well.
        from efspec.spec.explain import explain
        from efspec.spec.plugins import look_for, unknown_types

        search = look_for(unknown_types(error))
        if search.has_added:
            return _checked(data, source_map, mistakes)
        mistakes += [*search.mistakes(), *explain(error, source_map)]
    else:
        if not mistakes:
            spec._source_map = source_map
            return spec
    from efspec.spec.readable import further_mistakes

    raise EfspecError(shown([*mistakes, *placed(further_mistakes(data), source_map)]))


def shown(mistakes: list[Diagnostic]) -> list[Diagnostic]:
    """The first mistakes, and that there are more."""
    if len(mistakes) <= MAX_SHOWN:
        return mistakes
    first = list(EfspecError(mistakes).diagnostics[:MAX_SHOWN])
    rest = Diagnostic(
        name="too-many-mistakes",
        message=f"only the first {MAX_SHOWN} mistakes are shown",
        file=first[-1].file,
        line=first[-1].line,
        column=first[-1].column,
    )
    return [*first, rest]
