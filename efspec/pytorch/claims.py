"""What the file of a checkpoint may ask of its reader, checked before the reader asks for memory.

A small file can say that it holds gigabytes: compressed records, a pickle that asks for an array
of zeros, names without end. The readers of torch and safetensors believe it.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_PICKLE = 2 << 20
"""Largest description of a checkpoint's tensors by torch, in bytes; each takes about 130."""
MAX_HEADER = 10 << 20
"""The same by safetensors, whose reader is faster."""
_PICKLES = 5
"""How many pickles stand before the numbers in files of torch before 1.6."""
_ZIP = b"PK\x03\x04"


def too_much(path: Path) -> str:
    """What a file asks for that no checkpoint does, in words; empty when there is nothing.

    What is no checkpoint at all is left to the readers, which say what is wrong with it.

    Raises:
        OSError: When it cannot be read.
        BadZipFile: When it begins as an archive and is none.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if path.suffix == ".safetensors":
            length = int.from_bytes(start, "little")
            # The reader finds out by itself that a file ends before its header does.
            believed = MAX_HEADER < length <= path.stat().st_size
            return _too_long(length, MAX_HEADER) if believed else ""
        if not start.startswith(_ZIP):
            file.seek(0)
            return _in_pickles(file, _PICKLES)
        with zipfile.ZipFile(file) as archive:
            return _in_archive(archive, path.stat().st_size)


def _in_archive(archive: zipfile.ZipFile, size: int) -> str:
    if sum(record.file_size for record in archive.infolist()) > size:
        return "its records are larger than the file: it is compressed, which torch never does"
    for record in archive.infolist():
        if record.filename.endswith("data.pkl"):
            if record.file_size > MAX_PICKLE:
                return _too_long(record.file_size, MAX_PICKLE)
            if found := _in_pickles(io.BytesIO(archive.read(record)), 1):
                return found
    return ""


def _in_pickles(stream: BinaryIO, count: int) -> str:
    for _ in range(count):
        for name, argument, position in _operations(stream):
            if name == "GLOBAL" and str(argument).endswith(" bytearray"):
                return "it asks for an array of bytes, which is no tensor"
            if position > MAX_PICKLE:
                return _too_long(position, MAX_PICKLE)
    return ""


def _operations(stream: BinaryIO) -> Iterator[tuple[str, object, int]]:
    try:
        for operation, argument, position in pickletools.genops(stream):
            yield operation.name, argument, position or 0
    except ValueError:  # from here on it is no pickle
        return


def _too_long(length: int, limit: int) -> str:
    return f"its list of tensors takes {length:,} bytes, and may take {limit:,}"
