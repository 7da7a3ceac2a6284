"""Ops that move numbers and change none."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  the name that everyone knows it by
from torch import Tensor

from efspec.verify.arguments import Arguments


def reshape(a: Arguments) -> Tensor:
    """`reshape`: -1 is what is left over, 0 the size that the axis has."""
    x = a.tensor("x")
    sizes = a.integers("shape")
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def squeeze(a: Arguments) -> Tensor:
    """`squeeze`: axes of size 1 gone, all of them where none is named."""
    x = a.tensor("x")
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    return x.squeeze([axis % x.dim() for axis in a.integers("axes", ones)])


def expand_dims(a: Arguments) -> Tensor:
    """`expand_dims`: axes of size 1, numbered as in the result."""
    x, axes = a.tensor("x"), a.integers("axes")
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def concat(a: Arguments) -> Tensor:
    """`concat`: values one after the other along an axis."""
    if a.flag("interleave", False):
        raise a.refuse("interleave")
    return torch.cat(a.tensors("values"), a.integer("axis"))


def split(a: Arguments) -> tuple[Tensor, ...]:
    """`split`: parts of given sizes, or a number of equal ones."""
    x, axis = a.tensor("x"), a.integer("axis")
    if a.op.inputs.get("split_sizes"):
        return torch.split(x, a.integers("split_sizes"), axis)
    return torch.tensor_split(x, a.integer("num_splits"), axis)


def slice_by_index(a: Arguments) -> Tensor:
    """`slice_by_index`: as Python slices; masks say which ends are left open."""
    x = a.tensor("x")
    rank = x.dim()
    begin, end = a.integers("begin"), a.integers("end")
    stride = a.integers("stride", [1] * rank)
    open_begin, open_end = a.flags("begin_mask", rank), a.flags("end_mask", rank)
    dropped = a.flags("squeeze_mask", rank)
    for axis in range(rank):
        if dropped[axis]:
            x = x.narrow(axis, begin[axis] % x.shape[axis], 1)
            continue
        bounds = slice(
            None if open_begin[axis] else begin[axis],
            None if open_end[axis] else end[axis],
            stride[axis],
        )
        chosen = range(x.shape[axis])[bounds]
        x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.long))
    return x.squeeze([axis for axis in range(rank) if dropped[axis]])


def slice_by_size(a: Arguments) -> Tensor:
    """`slice_by_size`: from where on, and how many; -1 is all that follow."""
    x = a.tensor("x")
    for axis, (begin, size) in enumerate(zip(a.integers("begin"), a.integers("size"), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def gather(a: Arguments) -> Tensor:
    """`gather`: slices of an axis, in the order of indices of any shape."""
    if a.integer("batch_dims", 0):
        raise a.refuse("batch_dims")
    x, indices = a.tensor("x"), a.tensor("indices").long()
    axis = a.integer("axis", 0) % x.dim()
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    found = x.index_select(axis, indices.reshape(-1))
    return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def pad(a: Arguments) -> Tensor:
    """`pad`: pairs of amounts for the last axes."""
    x, amounts = a.tensor("x"), a.integers("pad")
    sizes = list(x.shape)
    pairs = [amounts[i : i + 2] for i in range(0, len(amounts), 2)]
    while pairs and pairs[0] == [0, 0]:
        pairs.pop(0)
    flat = [amount for pair in reversed(pairs) for amount in pair]
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}
    mode = a.text("mode", "constant")
    if mode not in modes:
        raise a.refuse(f"mode {mode!r}")
    for axis, (before, after) in enumerate(reversed(pairs), 1):
        sizes[-axis] += before + after
    a.expect(sizes)
    value = a.number("constant_val", 0.0) if mode == "constant" else None
    return F.pad(x, flat, modes[mode], value) if flat else x


def tile(a: Arguments) -> Tensor:
    """`tile`: the value repeated along each axis."""
    x, counts = a.tensor("x"), a.integers("reps")
    a.expect([size * count for size, count in zip(x.shape, counts, strict=True)])
    return x.repeat(counts)
