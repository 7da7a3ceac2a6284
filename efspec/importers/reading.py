"""Reading files of networks: JSON, JSON Lines or YAML, as their content or their name says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from efspec.errors import Diagnostic, EfspecError
from efspec.spec.files import MAX_BYTES, decode, empty_file, opened
from efspec.spec.json_reader import parse_json, read_json
from efspec.spec.source_map import Node, Source
from efspec.spec.yaml_reader import read_yaml

_ENDINGS = {".yaml": "yaml", ".yml": "yaml", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""What a name says for sure. Much that is called .json is JSON Lines."""


def trees(file: Path, input_format: str | None = None) -> Iterator[Node | EfspecError]:
    """The values of a file: one, or one of each line; in the place of a wrong line, its mistakes.

    Args:
        file: The file; `-` is standard input.
        input_format: `yaml`, `json` or `jsonl`; None to find out.

    Raises:
        EfspecError: When the file cannot be read.
    """
    if str(file) == "-":
        yield from _trees(sys.stdin.buffer, "<stdin>", input_format)
        return
    with opened(file) as stream:
        yield from _trees(stream, str(file), input_format or _ENDINGS.get(file.suffix.lower()))


def _trees(stream: BinaryIO, name: str, form: str | None) -> Iterator[Node | EfspecError]:
    if form == "jsonl":
        yield from _lines(iter(lambda: stream.readline(MAX_BYTES + 1), b""), name)
        return
    text = stream.read(MAX_BYTES + 1)
    form = form or _syntax(text)
    if form == "jsonl":
        yield from _lines(iter(text.splitlines()), name)
    else:
        yield _tree(text, name, 1, form)


def _lines(lines: Iterator[bytes], name: str) -> Iterator[Node | EfspecError]:
    found = False
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = True
            yield _tree(line.rstrip(b"\r\n"), name, number, "json")
        if len(line) > MAX_BYTES:
            return  # what follows is the rest of it
    if not found:
        yield empty_file(Source(name))


def _tree(text: bytes, name: str, first_line: int, form: str) -> Node | EfspecError:
    try:
        source = decode(text, name, first_line)
        mistakes: list[Diagnostic] = []
        if form == "json":
            parse_json(source)  # for its mistakes
            return read_json(source, mistakes)
        root = read_yaml(source, mistakes)
        if mistakes:
            raise EfspecError(mistakes)
    except EfspecError as error:
        return error
    return root


def _syntax(text: bytes) -> str:
    """What a text seems to be written in."""
    first, _, rest = text.strip().partition(b"\n")
    if rest.strip() and first.startswith(b"{") and _is_json(first):
        return "jsonl"
    # YAML's flow style begins alike, and goes on without quotes.
    after = text.lstrip()[1:].lstrip()[:1]
    starts_json = text.lstrip()[:1] in (b"{", b"[") and after in (b'"', b"{", b"[", b"}", b"]", b"")
    return "json" if starts_json else "yaml"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
