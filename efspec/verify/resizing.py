"""Bilinear resizing, straight from the grids that Core ML's documentation gives.

Torch has the common ones; written out, the less common ones are told from them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from efspec.verify.arguments import Arguments


def upsample_bilinear(a: Arguments) -> Tensor:
    """`upsample_bilinear`: by factors, which are computed anew from the rounded size."""
    x = a.tensor("x")
    corners = a.flag("align_corners", True)
    centres = a.flag("half_pixel_centers", not corners)
    if corners and centres:
        raise a.refuse("both align_corners and half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if corners else "UNALIGN_CORNERS" if centres else "DEFAULT"
    height = int(a.number("scale_factor_height", 1.0) * x.shape[-2])
    width = int(a.number("scale_factor_width", 1.0) * x.shape[-1])
    return _resized(a, x, height, width, mode)


def resize_bilinear(a: Arguments) -> Tensor:
    """`resize_bilinear`: to a size."""
    mode = a.text("sampling_mode", "DEFAULT")
    if mode not in _GRIDS:
        raise a.refuse(f"sampling_mode {mode!r}")
    height, width = a.integer("target_size_height", 1), a.integer("target_size_width", 1)
    return _resized(a, a.tensor("x"), height, width, mode)


def upsample_nearest_neighbor(a: Arguments) -> Tensor:
    """`upsample_nearest_neighbor`: each pixel becomes several, by whole factors."""
    x = a.tensor("x")
    vertical, horizontal = a.number("scale_factor_height", 1.0), a.number("scale_factor_width", 1.0)
    if not (vertical.is_integer() and horizontal.is_integer()):
        raise a.refuse("factors that are no integers")
    a.expect((*x.shape[:-2], int(vertical * x.shape[-2]), int(horizontal * x.shape[-1])))
    return x.repeat_interleave(int(vertical), -2).repeat_interleave(int(horizontal), -1)


def _resized(a: Arguments, x: Tensor, height: int, width: int, mode: str) -> Tensor:
    a.expect((*x.shape[:-2], height, width))
    rows = _weights(x.shape[-2], height, mode, x.dtype)
    columns = _weights(x.shape[-1], width, mode, x.dtype)
    return rows @ x @ columns.T


def _weights(size: int, wanted: int, mode: str, dtype: torch.dtype) -> Tensor:
    """How much each of `size` pixels counts in each of `wanted`: (wanted, size)."""
    points = _GRIDS[mode](size, wanted).clamp(0, size - 1)
    low = points.floor()
    share = points - low
    first = low.long()
    second = (first + 1).clamp(max=size - 1)
    weights = torch.zeros(wanted, size, dtype=torch.float64)
    weights.scatter_add_(1, first[:, None], (1 - share)[:, None])
    weights.scatter_add_(1, second[:, None], share[:, None])
    return weights.to(dtype)


def _steps(wanted: int) -> Tensor:
    return torch.arange(wanted, dtype=torch.float64)


def _strict(size: int, wanted: int) -> Tensor:
    return _steps(wanted) * ((size - 1) / max(1, wanted - 1))


def _aligned(size: int, wanted: int) -> Tensor:
    if wanted == 1:
        return torch.tensor([(size - 1) / 2], dtype=torch.float64)
    return _strict(size, wanted)


def _default(size: int, wanted: int) -> Tensor:
    return _steps(wanted) * ((size - size / wanted) / max(1, wanted - 1))


def _offset(size: int, wanted: int) -> Tensor:
    delta = max(1, size - 1) / wanted
    return 0.5 * delta + _steps(wanted) * delta


def _half_pixel(size: int, wanted: int) -> Tensor:
    spacing = size / wanted
    return _steps(wanted) * spacing + 0.5 * spacing - 0.5


_GRIDS = {
    "STRICT_ALIGN_CORNERS": _strict,
    "ALIGN_CORNERS": _aligned,
    "DEFAULT": _default,
    "OFFSET_CORNERS": _offset,
    "UNALIGN_CORNERS": _half_pixel,
}
"""Where each pixel of the result lies among those of the map, by mode."""
