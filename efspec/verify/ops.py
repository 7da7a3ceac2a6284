"""What each op of a program computes, in the words of Core ML's documentation.

The ops are those that efspec writes, and those that coremltools writes for vision networks of
related kinds. `x` and the like are names of arguments there, too.

References:
    https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  the name that everyone knows it by
from torch import Tensor

from efspec.verify import resizing, shaping, windows
from efspec.verify.arguments import Arguments, axes_of, per_channel

Result = Tensor | tuple[Tensor, ...]

_TYPES = {
    "fp16": None,
    "fp32": None,
    "fp64": None,
    "bool": torch.bool,
    "int32": torch.int32,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int8": torch.int8,
    "uint8": torch.uint8,
}
"""What `cast` casts to; how floating-point numbers are rounded is up to the arithmetic."""


def _linear(a: Arguments) -> Tensor:
    return F.linear(a.tensor("x"), a.tensor("weight"), a.optional("bias"))


def _matmul(a: Arguments) -> Tensor:
    x, y = a.tensor("x"), a.tensor("y")
    x = x.mT if a.flag("transpose_x", False) else x
    return x @ (y.mT if a.flag("transpose_y", False) else y)


def _attention(a: Arguments) -> Tensor:
    query, key = a.tensor("query"), a.tensor("key")
    logits = query @ key.mT / math.sqrt(query.shape[-1])
    mask = a.optional("attn_mask")
    if mask is not None and mask.dtype == torch.bool:
        logits = logits.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        logits = logits + mask
    return logits.softmax(-1) @ a.tensor("value")


def _batch_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    scale = (a.tensor("variance") + a.number("epsilon", 1e-5)).rsqrt()
    gamma, beta = a.optional("gamma"), a.optional("beta")
    scale = scale if gamma is None else scale * gamma
    normal = (x - per_channel(a.tensor("mean"), x.dim())) * per_channel(scale, x.dim())
    return normal if beta is None else normal + per_channel(beta, x.dim())


def _layer_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    axes = axes_of(a, x.dim())
    centred = x - x.mean(axes, keepdim=True)
    variance = centred.square().mean(axes, keepdim=True)
    normal = centred * (variance + a.number("epsilon", 1e-5)).rsqrt()
    sizes = [x.shape[axis] if axis in {n % x.dim() for n in axes} else 1 for axis in range(x.dim())]
    gamma, beta = a.optional("gamma"), a.optional("beta")
    normal = normal if gamma is None else normal * gamma.reshape(sizes)
    return normal if beta is None else normal + beta.reshape(sizes)


def _gelu(a: Arguments) -> Tensor:
    x = a.tensor("x")
    match a.text("mode", "EXACT"):
        case "EXACT":
            return F.gelu(x)
        case "TANH_APPROXIMATION":
            return F.gelu(x, approximate="tanh")
        case "SIGMOID_APPROXIMATION":
            return x * torch.sigmoid(1.702 * x)
        case mode:
            raise a.refuse(f"mode {mode!r}")


def _sigmoid_hard(a: Arguments) -> Tensor:
    return (a.number("alpha", 0.2) * a.tensor("x") + a.number("beta", 0.5)).clamp(0, 1)


def _thresholded_relu(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return torch.where(x >= a.number("alpha", 1.0), x, 0)


def _clip(a: Arguments) -> Tensor:
    return a.tensor("x").clamp(a.number("alpha", -math.inf), a.number("beta", math.inf))


def _prelu(a: Arguments) -> Tensor:
    return F.prelu(a.tensor("x"), a.tensor("alpha").reshape(-1))


def _cast(a: Arguments) -> Tensor:
    wanted = a.text("dtype", "")
    if wanted not in _TYPES:
        raise a.refuse(f"dtype {wanted!r}")
    x, dtype = a.tensor("x"), _TYPES[wanted]
    if dtype is not None:
        return x.to(dtype)
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Arguments], Result]:
    return lambda a: function(a.tensor("x"))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Arguments], Result]:
    return lambda a: function(a.tensor("x"), a.tensor("y"))


def _reduction(function: Callable[..., Tensor]) -> Callable[[Arguments], Result]:
    def reduce(a: Arguments) -> Tensor:
        x = a.tensor("x")
        return function(x, axes_of(a, x.dim()), keepdim=a.flag("keep_dims", False))

    return reduce


OPS: dict[str, Callable[[Arguments], Result]] = {
    # Sums over channels
    "conv": windows.conv,
    "linear": _linear,
    "matmul": _matmul,
    "scaled_dot_product_attention": _attention,
    "einsum": lambda a: torch.einsum(a.text("equation", ""), *a.tensors("values")),
    # Over windows and whole maps
    "avg_pool": windows.avg_pool,
    "max_pool": windows.max_pool,
    "upsample_bilinear": resizing.upsample_bilinear,
    "resize_bilinear": resizing.resize_bilinear,
    "upsample_nearest_neighbor": resizing.upsample_nearest_neighbor,
    "reduce_mean": _reduction(torch.mean),
    "reduce_sum": _reduction(torch.sum),
    "reduce_max": _reduction(torch.amax),
    "reduce_min": _reduction(torch.amin),
    # Norms and activations
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "softmax": lambda a: a.tensor("x").softmax(a.integer("axis", -1)),
    "gelu": _gelu,
    "relu": _unary(torch.relu),
    "relu6": _unary(F.relu6),
    "silu": _unary(F.silu),
    "sigmoid": _unary(torch.sigmoid),
    "tanh": _unary(torch.tanh),
    "softplus": _unary(F.softplus),
    "sigmoid_hard": _sigmoid_hard,
    "thresholded_relu": _thresholded_relu,
    "leaky_relu": lambda a: F.leaky_relu(a.tensor("x"), a.number("alpha", 0.01)),
    "elu": lambda a: F.elu(a.tensor("x"), a.number("alpha", 1.0)),
    "prelu": _prelu,
    "clip": _clip,
    # Elementwise
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "real_div": _binary(torch.true_divide),
    "pow": _binary(torch.pow),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "abs": _unary(torch.abs),
    "exp": _unary(torch.exp),
    "erf": _unary(torch.erf),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "rsqrt": lambda a: (a.tensor("x") + a.number("epsilon", 1e-12)).rsqrt(),
    "inverse": lambda a: (a.tensor("x") + a.number("epsilon", 1e-4)).reciprocal(),
    "cast": _cast,
    # Shapes
    "reshape": shaping.reshape,
    "transpose": lambda a: a.tensor("x").permute(a.integers("perm")),
    "squeeze": shaping.squeeze,
    "expand_dims": shaping.expand_dims,
    "concat": shaping.concat,
    "stack": lambda a: torch.stack(a.tensors("values"), a.integer("axis")),
    "split": shaping.split,
    "slice_by_index": shaping.slice_by_index,
    "slice_by_size": shaping.slice_by_size,
    "gather": shaping.gather,
    "pad": shaping.pad,
    "tile": shaping.tile,
    "reverse": lambda a: a.tensor("x").flip(axes_of(a, a.tensor("x").dim())),
    "identity": _unary(lambda x: x),
}
"""Every op that efspec can run, by its kind, but for `classify`, which makes no tensor."""
