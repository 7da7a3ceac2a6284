"""Finding spec files by path or shipped name, and reading them within limits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import BinaryIO

from efspec import resources
from efspec.errors import EfspecError, fail, suggestion
from efspec.spec.source_map import Source

MAX_BYTES = 1 << 20
"""Largest spec; of JSON Lines, the longest line."""

FORMATS = ("yaml", "json", "jsonl")
JSON_LINES = ("jsonl", ".jsonl", ".ndjson")
"""The format with several specs, and what names of such files end in."""

_ENDINGS = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}

_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))

shipped_specs = cache(resources.shipped_specs)  # a search program loads by name a million times


def find(source: str | Path, folder: Path) -> Path:
    """The file of a shipped name or of a path.

    Args:
        source: What the user wrote; a string that is a shipped name means the shipped spec.
        folder: What relative paths are relative to.

    Raises:
        EfspecError: When there is none.
    """
    if isinstance(source, str) and source in shipped_specs():
        return shipped_specs()[source]
    try:
        path = folder / source
        if source and (path.exists() or path.is_symlink()):
            return path
    except (OSError, ValueError):  # too long for a file system, or with a null byte
        pass
    shown = ascii(str(source))
    shown = shown if len(shown) < 100 else f"{shown[:96]}...'"
    is_path = isinstance(source, Path) or "/" in source or Path(source).suffix in _ENDINGS
    stem = str(source).removesuffix(Path(source).suffix) if is_path else str(source)
    raise fail(
        "no-such-spec",
        f"there is no file {shown}" if is_path else f"{shown} is no shipped spec and no file",
        expected="a path, or one of " + ", ".join(n for n in shipped_specs() if "/" not in n),
        fix=suggestion(stem, shipped_specs()) if len(stem) < 100 else "",
    )


def opened(path: Path) -> BinaryIO:
    """A file, open for reading.

    Raises:
        EfspecError: When it cannot be read.
    """
    try:
        return path.open("rb")
    except IsADirectoryError:
        raise fail("unreadable-file", "it is a folder", file=str(path)) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:  # with a null byte, or half of a character
        raise fail("unreadable-file", "no file can be called so", file=str(path)) from None


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The contents of a file, or a byte more than it may have.

    Raises:
        EfspecError: When it cannot be read.
    """
    try:
        with opened(path) as file:
            return file.read(limit + 1)
    except OSError as error:  # what opens need not be readable
        raise _unreadable(path, error) from None


def decode(data: bytes | str, name: str, first_line: int = 1, limit: int = MAX_BYTES) -> Source:
    """A text from what was read.

    Args:
        data: UTF-8, with or without a byte-order mark, or text.
        name: What diagnostics call it.
        first_line: Number of its first line.
        limit: How many bytes it may have.

    Raises:
        EfspecError: When it is too large, is not UTF-8, or holds control characters.
    """
    if len(data) > limit:
        what = f"line {first_line}" if first_line > 1 else "it"
        message = f"{what} is larger than {limit // 1024:,} KiB"
        raise fail("file-too-large", message, file=name)
    if isinstance(data, bytes):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _encoding_error(data, error, name, first_line) from None
    else:
        text = data
    source = Source(name, text.removeprefix("\ufeff"), first_line)
    # Nearly all texts are plain or printable; only others are looked at one by one.
    if not (_is_plain(source.text) or source.text.replace("\n", "").isprintable()):
        _check_characters(source)
    return source


def empty_file(source: Source) -> EfspecError:
    """What is said of a text without a value."""
    return fail(
        "empty-file",
        "there is no spec in it",
        fix="begin with `efspec: 1`, or with `extends:` and the name of a shipped spec",
        file=source.name,
    )


def format_of(path: Path) -> str:
    """The format that a file's name says.

    Raises:
        EfspecError: When it says none.
    """
    if path.suffix.lower() in _ENDINGS:
        return _ENDINGS[path.suffix.lower()]
    raise fail(
        "unknown-format",
        f"`{path.suffix}` is no ending of a spec" if path.suffix else "its name has no ending",
        expected=", ".join(_ENDINGS),
        fix="rename it, or say `--input-format yaml`",
        file=str(path),
    )


def _unreadable(path: Path, error: OSError) -> EfspecError:
    reason = (error.strerror or type(error).__name__).lower()
    return fail("unreadable-file", f"it cannot be read: {reason}", file=str(path))


def _encoding_error(
    data: bytes, error: UnicodeDecodeError, name: str, first_line: int
) -> EfspecError:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return fail("bad-encoding", "it is UTF-16", fix="save it as UTF-8", file=name)
    readable = Source(name, data.decode("utf-8", "replace"), first_line)
    place = readable.place_at(len(data[: error.start].decode("utf-8")))
    message = f"byte 0x{data[error.start]:02x} is not UTF-8"
    return fail("bad-encoding", message, fix="save it as UTF-8", **place)


def _is_plain(text: str) -> bool:
    """Whether a text is of ASCII, and without control characters."""
    return text.isascii() and len(text.encode().translate(None, _CONTROLS)) == len(text)


def _check_characters(source: Source) -> None:
    """Refuse characters that YAML and JSON have no place for."""
    for offset, character in enumerate(source.text):
        code = ord(character)
        if (
            (code < 0x20 and character not in "\t\n\r")
            or (0x7F <= code < 0xA0 and code != 0x85)
            or 0xD800 <= code < 0xE000
            or code in (0xFFFE, 0xFFFF)
        ):  # fmt: skip
            raise fail(
                "bad-character",
                f"the control character U+{code:04X}",
                fix="remove it",
                **source.place_at(offset),
            )
