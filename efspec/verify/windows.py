"""Convolution and pooling: ops that slide a window over a map.

Letters of shapes: B images, C channels, then one or more spatial axes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812  the name that everyone knows it by
from torch import Tensor

from efspec.verify.arguments import Arguments
from efspec.verify.values import MAX_ELEMENTS, DamagedError

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def conv(a: Arguments) -> Tensor:
    """`conv`: x (B, C, ...), weight (C', C / groups, ...), with zeros around."""
    x, weight = a.tensor("x"), a.tensor("weight")
    spatial = x.dim() - 2
    strides = a.integers("strides", [1] * spatial)
    dilations = a.integers("dilations", [1] * spatial)
    kernel = [(size - 1) * d + 1 for size, d in zip(weight.shape[2:], dilations, strict=True)]
    x = _padded(a, x, kernel, strides, 0.0)
    groups = a.integer("groups", 1)
    return _CONVOLUTIONS[spatial](x, weight, a.optional("bias"), strides, 0, dilations, groups)


def avg_pool(a: Arguments) -> Tensor:
    """`avg_pool`: the mean of each window, of what is inside the map or of all of it."""
    x = a.tensor("x")
    kernel = a.integers("kernel_sizes")
    strides = a.integers("strides", [1] * len(kernel))
    channels = x.shape[1]
    window = torch.ones(channels, 1, *kernel, dtype=x.dtype)
    slide = _CONVOLUTIONS[len(kernel)]
    padded = _padded(a, x, kernel, strides, 0.0)
    _refuse_overhang(a, padded, kernel, strides)
    total = slide(padded, window, None, strides, 0, 1, channels)
    if not a.flag("exclude_padding_from_average", False):
        return total / window[0].numel()
    inside = _padded(a, torch.ones_like(x), kernel, strides, 0.0)
    return total / slide(inside, window, None, strides, 0, 1, channels)


def max_pool(a: Arguments) -> Tensor:
    """`max_pool`: the largest of each window."""
    kernel = a.integers("kernel_sizes")
    strides = a.integers("strides", [1] * len(kernel))
    x = _padded(a, a.tensor("x"), kernel, strides, -torch.inf)
    _refuse_overhang(a, x, kernel, strides)
    return _MAXIMA[len(kernel)](x, kernel, strides)


def _padded(a: Arguments, x: Tensor, kernel: list[int], strides: list[int], value: float) -> Tensor:
    """A map with what its op puts around it."""
    pairs: list[tuple[int, int]] = []
    match a.text("pad_type", "valid"):
        case "valid":
            return x
        case "custom":
            amounts = a.integers("pad", [0] * 2 * len(kernel))
            pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
        case "same" | "same_lower" as mode:
            for size, window, stride in zip(x.shape[2:], kernel, strides, strict=True):
                whole = max(0, (-(-size // stride) - 1) * stride + window - size)
                less, more = whole // 2, whole - whole // 2
                pairs.append((less, more) if mode == "same" else (more, less))
        case mode:
            raise a.refuse(f"pad_type {mode!r}")
    sizes = [n + sum(pair) for n, pair in zip(x.shape[2:], pairs, strict=True)]
    if math.prod(sizes) * x.shape[1] > MAX_ELEMENTS:
        raise DamagedError(f"{a.op.name}: {a.op.kind} of {tuple(sizes)}, padding included")
    flat = [amount for pair in reversed(pairs) for amount in pair]
    return F.pad(x, flat, value=value)


def _refuse_overhang(a: Arguments, x: Tensor, kernel: list[int], strides: list[int]) -> None:
    """Windows that reach beyond the padding are averaged in ways that are not documented."""
    sizes = zip(x.shape[2:], kernel, strides, strict=True)
    if a.flag("ceil_mode", False) and any((size - k) % s for size, k, s in sizes):
        raise a.refuse("ceil_mode, where windows reach beyond the padding")
