"""Constants of a program, and the weights that are packed: what they stand for, and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from efspec.record import Node
from efspec.verify.values import Array, DamagedError, Value, unpacked

PREFIX = "constexpr_"
"""What the kinds of ops start with that unpack weights."""

_SCALE_ROUNDING = 2.0**-9
"""How far rounding in half precision takes a weight from its best code, relatively: the weight, the
scale and their product are each rounded by up to 2**-11."""
_TABLE_ROUNDING = 2.0**-8
"""The same of weights in tables, as a share of the largest: coremltools looks for the code of a
weight in half precision, counted from the smallest."""

Excess = Callable[[Array], Array]


class Constant(Node):
    """A constant of a program.

    Attributes:
        name: Its name; empty if it is written where it is used.
        value: Numbers or texts.
        packing: Kind of the op that unpacks it; empty if it is stored as it is.
        excess: How much farther each weight is from what it stands for than the nearest of the
            codes is, from the original weights; None where that is not known.
    """

    name: str
    value: Value
    packing: str = ""
    excess: Excess | None = None

    @property
    def array(self) -> Array:
        """Its numbers.

        Raises:
            DamagedError: When it holds texts.
        """
        if isinstance(self.value, tuple):
            raise DamagedError(f"{self.name or 'a constant'}: texts where numbers belong")
        return self.value


def unpack(kind: str, name: str, inputs: Mapping[str, Constant]) -> Constant | None:
    """The constant that an op of packed weights gives; None when there is no such kind.

    Raises:
        DamagedError: When its inputs do not belong together.
    """
    given = {key: one.array for key, one in inputs.items() if not isinstance(one.value, tuple)}
    try:
        match kind:
            case "constexpr_affine_dequantize":
                dense, step = _affine(given)
            case "constexpr_blockwise_shift_scale":
                dense, step = _blockwise(given)
            case "constexpr_lut_to_dense" if "shape" in given:
                return _table(name, kind, *_packed_table(given))
            case "constexpr_lut_to_dense":
                return _table(name, kind, given["indices"], given["lut"], given.get("vector_axis"))
            case "constexpr_cast":
                return Constant(name, given["source_val"].astype(np.float32), kind)
            case "constexpr_sparse_to_dense" if "shape" in given:
                shape = tuple(map(int, given["shape"]))
                mask = unpacked(given["mask"], 1, False, shape)
                return Constant(name, _sparse(mask, given["nonzero_data"]), kind)
            case "constexpr_sparse_to_dense":
                return Constant(name, _sparse(given["mask"], given["nonzero_data"]), kind)
            case _:
                return None
    except (KeyError, ValueError, IndexError, TypeError, ZeroDivisionError) as error:
        raise DamagedError(f"{name}: the inputs of {kind} do not belong together") from error

    def excess(original: Array) -> Array:
        far = np.abs(original - dense.astype(np.float64)) - np.abs(step) / 2
        found: Array = far - _SCALE_ROUNDING * np.abs(original)
        return found

    return Constant(name, dense, kind, excess)


def _affine(given: Mapping[str, Array]) -> tuple[Array, Array]:
    """Weights (iOS 16): scale * (data - zero point), each per tensor or per slice of an axis."""
    data, scale, axis = given["quantized_data"], given["scale"], int(given["axis"])

    def spread(vector: Array) -> Array:
        shape = [1] * data.ndim
        if vector.ndim:
            shape[axis] = data.shape[axis]
        return vector.reshape(shape)

    shifted = data.astype(np.float32) - spread(given["zero_point"]).astype(np.float32)
    dense = shifted * spread(scale).astype(np.float32)
    return dense.astype(scale.dtype), spread(scale).astype(np.float64)


def _blockwise(given: Mapping[str, Array]) -> tuple[Array, Array]:
    """Weights (iOS 18): scale * (data - offset), each per block along every axis."""
    data, scale = given["data"], given["scale"]

    def spread(blocks: Array) -> Array:
        for axis, (size, count) in enumerate(zip(data.shape, blocks.shape, strict=True)):
            if size % count:
                raise ValueError("blocks do not divide the data")
            blocks = np.repeat(blocks, size // count, axis)
        return blocks

    shifted = data.astype(np.float32)
    if "offset" in given:
        shifted = shifted - spread(given["offset"]).astype(np.float32)
    dense = (shifted * spread(scale).astype(np.float32)).astype(scale.dtype)
    return dense, spread(scale).astype(np.float64)


def _packed_table(given: Mapping[str, Array]) -> tuple[Array, Array, None]:
    """Indices and table (iOS 16), in the form of iOS 18: one table for the whole tensor."""
    shape, lut = tuple(map(int, given["shape"])), given["lut"]
    width = (lut.size - 1).bit_length()
    if lut.size != 1 << width or given["indices"].size != -(-int(np.prod(shape)) * width // 8):
        raise ValueError("indices and table differ")
    indices = unpacked(given["indices"], width, False, shape)
    return indices, lut.reshape(*[1] * len(shape), lut.size, 1), None


def _table(name: str, kind: str, indices: Array, lut: Array, vector_axis: Array | None) -> Constant:
    """Weights that are indices into a table of values, or of vectors, of their block."""
    blocks = [size // count for size, count in zip(indices.shape, lut.shape[:-2], strict=True)]
    places = [
        np.arange(size).reshape([-1 if i == axis else 1 for i in range(indices.ndim)]) // block
        for axis, (size, block) in enumerate(zip(indices.shape, blocks, strict=True))
    ]
    found = lut[(*places, indices.astype(np.int64))]  # (..., vector)
    if lut.shape[-1] > 1:
        axis = int(vector_axis if vector_axis is not None else 0) % indices.ndim
        found = np.moveaxis(found, -1, axis + 1)
        shape = list(indices.shape)
        shape[axis] *= lut.shape[-1]
        return Constant(name, found.reshape(shape), kind)
    dense = found[..., 0]

    def excess(original: Array) -> Array:
        nearest = np.full(original.shape, np.inf)
        for entry in range(lut.shape[-2]):
            value = lut[(*places, entry, 0)].astype(np.float64)
            nearest = np.minimum(nearest, np.abs(original - value))
        far = np.abs(original - dense.astype(np.float64)) - nearest
        found: Array = far - _TABLE_ROUNDING * np.abs(original).max()
        return found

    return Constant(name, dense, kind, excess)


def _sparse(mask: Array, data: Array) -> Array:
    dense = np.zeros(mask.shape, data.dtype)
    dense[mask.astype(bool)] = data
    return dense
