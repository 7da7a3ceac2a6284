"""Values in a program: written in place, or in a file of weights beside it.

The layout of such a file is that of coremltools' MILBlob: at the offset that the program names, a
record of 64 bytes that begins with a mark, the type, the size in bytes and where the numbers are.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Value = Array | tuple[str, ...]
"""Numbers, or texts."""

DTYPES = {
    1: "bool",
    2: "string",
    10: "float16",
    11: "float32",
    12: "float64",
    21: "int8",
    22: "int16",
    23: "int32",
    24: "int64",
    25: "int4",
    31: "uint8",
    32: "uint16",
    33: "uint32",
    34: "uint64",
    35: "uint4",
    36: "uint2",
    37: "uint1",
    38: "uint6",
    39: "uint3",
}
"""Types by their number in a program. Those of less than a byte are packed."""

MAX_ELEMENTS = 1 << 28
"""Most numbers in one value: a gigabyte in single precision."""

_RECORD = Struct("<IIQQQ")
_MARK = 0xDEADBEEF
_BLOB_TYPES = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
}
"""Types by their number in a file of weights."""
_PREFIX = "@model_path/"


class DamagedError(Exception):
    """A package contradicts itself; the text says how."""


class Weights:
    """The files of weights of a package, each opened when it is first asked for.

    Attributes:
        folder: What the paths in a program are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, mmap.mmap] = {}

    def read(self, name: str, offset: int, dtype: str, shape: tuple[int, ...]) -> Array:
        """The numbers at an offset of a file.

        Raises:
            DamagedError: When there is no such file, or something else stands there.
        """
        data = self._file(name)
        where = f"{name.removeprefix(_PREFIX)} at {offset}"
        if offset < 0 or offset + _RECORD.size > len(data):
            raise DamagedError(f"{where}: the file ends before")
        mark, kind, size, start, _ = _RECORD.unpack_from(data, offset)
        if mark != _MARK:
            raise DamagedError(f"{where}: no weights begin there")
        if _BLOB_TYPES.get(kind) != dtype:
            found = _BLOB_TYPES.get(kind, f"type {kind}")
            raise DamagedError(f"{where}: holds {found}, and the program says {dtype}")
        if start + size > len(data):
            raise DamagedError(f"{where}: the file ends before its {size:,} bytes do")
        return decoded(data[start : start + size], dtype, shape, where)

    def _file(self, name: str) -> mmap.mmap:
        if name not in self._files:
            path = (self.folder / name.removeprefix(_PREFIX)).resolve()
            if not name.startswith(_PREFIX) or not path.is_relative_to(self.folder.resolve()):
                raise DamagedError(f"weights in {name!r}, which is outside")
            try:
                with path.open("rb") as file:
                    self._files[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:  # mmap refuses empty files
                message = f"the weights {name.removeprefix(_PREFIX)} are missing or empty"
                raise DamagedError(message) from error
        return self._files[name]


def bits(dtype: str) -> int:
    """Size of one number of a type."""
    digits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) if digits else 8


def decoded(data: bytes, dtype: str, shape: tuple[int, ...], where: str) -> Array:
    """Numbers from their bytes, packed ones included.

    Raises:
        DamagedError: When they are not as many as the shape takes.
    """
    count, width = math.prod(shape), bits(dtype)
    if len(data) != -(-count * width // 8):
        raise DamagedError(f"{where}: {len(data):,} bytes for {dtype} of shape {shape}")
    if width >= 8:
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return unpacked(np.frombuffer(data, np.uint8), width, dtype.startswith("int"), shape)


def unpacked(data: Array, width: int, signed: bool, shape: tuple[int, ...]) -> Array:
    """Numbers of less than a byte from the bytes that hold them, lowest bits first."""
    count = math.prod(shape)
    rows = np.unpackbits(data, bitorder="little", count=count * width).reshape(count, width)
    numbers = (rows << np.arange(width, dtype=np.uint8)).sum(axis=1, dtype=np.int16)
    if signed:
        numbers = np.where(numbers >> (width - 1), numbers - (1 << width), numbers)
    found: Array = numbers.astype(np.int8 if signed else np.uint8)
    return found.reshape(shape)


def tensor_type(message: Any, what: str) -> tuple[str, tuple[int, ...]]:
    """Type and shape of a value as a program declares them.

    Raises:
        DamagedError: When its shape is unknown, impossible or too large.
    """
    dtype = DTYPES.get(message.dataType)
    if dtype is None:
        raise DamagedError(f"{what}: values of the type number {message.dataType}")
    if any(d.WhichOneof("dimension") != "constant" for d in message.dimensions):
        raise DamagedError(f"{what}: its shape is not fixed, as those of vision networks are")
    shape = tuple(int(d.constant.size) for d in message.dimensions)
    if math.prod(shape) > MAX_ELEMENTS:
        raise DamagedError(f"{what}: a value of shape {shape}")
    return dtype, shape


def read_value(message: Any, weights: Weights, what: str) -> Value:
    """A value of a program.

    Args:
        message: Its protobuf message.
        weights: The files that it may refer to.
        what: What it is of, for messages.

    Raises:
        DamagedError: When it contradicts itself, or its file.
    """
    if message.type.WhichOneof("type") == "listType":
        texts = (read_value(one, weights, what) for one in message.immediateValue.list.values)
        return tuple(text for one in texts for text in (one if isinstance(one, tuple) else ()))
    if message.type.WhichOneof("type") != "tensorType":
        raise DamagedError(f"{what}: a value that is neither a tensor nor a list")
    dtype, shape = tensor_type(message.type.tensorType, what)
    if message.WhichOneof("value") == "blobFileValue":
        blob = message.blobFileValue
        return weights.read(blob.fileName, blob.offset, dtype, shape)
    tensor = message.immediateValue.tensor
    field = tensor.WhichOneof("value")
    if field is None:
        raise DamagedError(f"{what}: a value without numbers")
    values = getattr(tensor, field).values
    if field == "strings":
        return tuple(values)
    if field == "bytes":
        return decoded(values, dtype, shape, what)
    if len(values) != math.prod(shape):
        raise DamagedError(f"{what}: {len(values):,} numbers for the shape {shape}")
    return np.array(values, np.dtype(dtype)).reshape(shape)
