"""Each op computes what Core ML's documentation says, told apart from what is like it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from efspec.errors import EfspecError
from efspec.verify.ops import OPS
from efspec.verify.values import DamagedError
from tests.verify.programs import Argument, image, result

TOLERANCE = 1e-6
"""The same sums in another order, of values of order one."""

MAP = image(1, 4, 5, 7)
VALUES = image(2, 6)
WEIGHT = image(8, 2, 3, 3, seed=1)


def array(x: Tensor) -> np.ndarray:
    return np.asarray(x.numpy())


CASES: dict[str, tuple[str, Tensor, Tensor, dict[str, Argument]]] = {
    # kind, x, expected, arguments
    "conv": (
        "conv",
        MAP,
        F.conv2d(MAP, WEIGHT, image(8), 2, 1, groups=2),
        {
            "weight": array(WEIGHT),
            "bias": array(image(8)),
            "strides": (2, 2),
            "pad_type": "custom",
            "pad": (1, 1, 1, 1),
            "dilations": (1, 1),
            "groups": 2,
        },
    ),
    "conv-valid": (
        "conv",
        MAP,
        F.conv2d(MAP, WEIGHT, dilation=2, groups=2),
        {"weight": array(WEIGHT), "pad_type": "valid", "dilations": (2, 2), "groups": 2},
    ),
    "conv-same": (
        "conv",
        MAP,
        F.conv2d(F.pad(MAP, (1, 1, 1, 1)), WEIGHT, stride=2, groups=2),
        {"weight": array(WEIGHT), "pad_type": "same", "strides": (2, 2), "groups": 2},
    ),
    "conv-same-lower": (
        "conv",
        image(1, 2, 6, 6),
        F.conv2d(F.pad(image(1, 2, 6, 6), (1, 0, 1, 0)), WEIGHT, stride=2),
        {"weight": array(WEIGHT), "pad_type": "same_lower", "strides": (2, 2)},
    ),
    "avg-pool-inside": (
        "avg_pool",
        MAP,
        F.avg_pool2d(MAP, 3, 1, 1, count_include_pad=False),
        {
            "kernel_sizes": (3, 3),
            "strides": (1, 1),
            "pad_type": "custom",
            "pad": (1, 1, 1, 1),
            "exclude_padding_from_average": True,
        },
    ),
    "avg-pool-all": (
        "avg_pool",
        MAP,
        F.avg_pool2d(MAP, 3, 2, 1, count_include_pad=True),
        {"kernel_sizes": (3, 3), "strides": (2, 2), "pad_type": "custom", "pad": (1, 1, 1, 1)},
    ),
    "max-pool": (
        "max_pool",
        MAP,
        F.max_pool2d(MAP, 3, 2, 1),
        {"kernel_sizes": (3, 3), "strides": (2, 2), "pad_type": "custom", "pad": (1, 1, 1, 1)},
    ),
    "upsample-half-pixel": (
        "upsample_bilinear",
        MAP,
        F.interpolate(MAP, scale_factor=2, mode="bilinear"),
        {"scale_factor_height": 2.0, "scale_factor_width": 2.0, "align_corners": False},
    ),
    "upsample-corners": (
        "upsample_bilinear",
        MAP,
        F.interpolate(MAP, scale_factor=2, mode="bilinear", align_corners=True),
        {"scale_factor_height": 2, "scale_factor_width": 2},
    ),
    "resize-half-pixel": (
        "resize_bilinear",
        MAP,
        F.interpolate(MAP, (8, 9), mode="bilinear"),
        {"target_size_height": 8, "target_size_width": 9, "sampling_mode": "UNALIGN_CORNERS"},
    ),
    "resize-smaller": (
        "resize_bilinear",
        MAP,
        F.interpolate(MAP, (3, 2), mode="bilinear"),
        {"target_size_height": 3, "target_size_width": 2, "sampling_mode": "UNALIGN_CORNERS"},
    ),
    "resize-corners": (
        "resize_bilinear",
        MAP,
        F.interpolate(MAP, (8, 9), mode="bilinear", align_corners=True),
        {"target_size_height": 8, "target_size_width": 9, "sampling_mode": "STRICT_ALIGN_CORNERS"},
    ),
    "upsample-nearest": (
        "upsample_nearest_neighbor",
        MAP,
        F.interpolate(MAP, scale_factor=2),
        {"scale_factor_height": 2.0, "scale_factor_width": 2.0},
    ),
    "batch-norm": (
        "batch_norm",
        MAP,
        F.batch_norm(MAP, image(4), image(4, seed=2) ** 2, image(4, seed=3), image(4, seed=4)),
        {
            "mean": array(image(4)),
            "variance": array(image(4, seed=2) ** 2),
            "gamma": array(image(4, seed=3)),
            "beta": array(image(4, seed=4)),
        },
    ),
    "layer-norm": (
        "layer_norm",
        VALUES,
        F.layer_norm(VALUES, (6,), image(6), image(6, seed=1), 1e-3),
        {
            "axes": (-1,),
            "gamma": array(image(6)),
            "beta": array(image(6, seed=1)),
            "epsilon": 1e-3,
        },
    ),
    "layer-norm-of-channels": (
        "layer_norm",
        MAP,
        F.layer_norm(MAP.permute(0, 2, 3, 1), (4,), image(4)).permute(0, 3, 1, 2),
        {"axes": (1,), "gamma": array(image(4))},
    ),
    "linear": (
        "linear",
        VALUES,
        F.linear(VALUES, image(3, 6), image(3)),
        {"weight": array(image(3, 6)), "bias": array(image(3))},
    ),
    "matmul": (
        "matmul",
        VALUES,
        VALUES.T @ image(2, 3),
        {"y": array(image(2, 3)), "transpose_x": True},
    ),
    "matmul-both": (
        "matmul",
        VALUES,
        VALUES.T @ image(3, 2).T,
        {"y": array(image(3, 2)), "transpose_x": True, "transpose_y": True},
    ),
    "softmax": ("softmax", VALUES, VALUES.softmax(0), {"axis": 0}),
    "gelu": ("gelu", VALUES, F.gelu(VALUES), {}),
    "gelu-tanh": (
        "gelu",
        VALUES,
        F.gelu(VALUES, approximate="tanh"),
        {"mode": "TANH_APPROXIMATION"},
    ),
    "relu6": ("relu6", 9 * VALUES, (9 * VALUES).clamp(0, 6), {}),
    "silu": ("silu", VALUES, VALUES * torch.sigmoid(VALUES), {}),
    "sigmoid-hard": (
        "sigmoid_hard",
        5 * VALUES,
        F.hardsigmoid(5 * VALUES),
        {"alpha": 1 / 6, "beta": 0.5},
    ),
    "thresholded-relu": (
        "thresholded_relu",
        VALUES,
        torch.where(VALUES >= 0.3, VALUES, 0),
        {"alpha": 0.3},
    ),
    "clip": ("clip", VALUES, VALUES.clamp(-0.5, 0.25), {"alpha": -0.5, "beta": 0.25}),
    "leaky-relu": ("leaky_relu", VALUES, F.leaky_relu(VALUES, 0.2), {"alpha": 0.2}),
    "rsqrt": (
        "rsqrt",
        VALUES.abs(),
        1 / (VALUES.abs() + 0.5).sqrt(),
        {"epsilon": 0.5},
    ),
    "real-div": ("real_div", VALUES, VALUES / 3, {"y": 3.0}),
    "reduce-mean": (
        "reduce_mean",
        MAP,
        MAP.mean((2, 3), keepdim=True),
        {"axes": (-1, 2), "keep_dims": True},
    ),
    "reduce-sum-all": ("reduce_sum", VALUES, VALUES.sum(), {}),
    "reshape": ("reshape", MAP, MAP.reshape(1, 2, 10, 7), {"shape": (0, 2, -1, 7)}),
    "transpose": ("transpose", MAP, MAP.permute(0, 2, 3, 1), {"perm": (0, 2, -1, -3)}),
    "squeeze": ("squeeze", MAP, MAP[0], {"axes": (0,)}),
    "expand-dims": ("expand_dims", VALUES, VALUES[None, :, None], {"axes": (0, 2)}),
    "concat": (
        "concat",
        VALUES,
        torch.cat([VALUES, VALUES, image(2, 1)], 1),
        {"x": "", "values": ["%image", "%image", array(image(2, 1))], "axis": -1},
    ),
    "stack": (
        "stack",
        VALUES,
        torch.stack([VALUES, VALUES], 1),
        {"x": "", "values": ["%image", "%image"], "axis": 1},
    ),
    "slice": (
        "slice_by_index",
        MAP,
        MAP[:, 1:3, ::2, -2],
        {
            "begin": (9, 1, 0, -2),
            "end": (9, 3, 9, 0),
            "stride": (1, 1, 2, 1),
            "begin_mask": (True, False, False, False),
            "end_mask": (True, False, True, False),
            "squeeze_mask": (False, False, False, True),
        },
    ),
    "slice-size": (
        "slice_by_size",
        VALUES,
        VALUES[1:2, 2:],
        {"begin": (1, 2), "size": (1, -1)},
    ),
    "gather": (
        "gather",
        VALUES,
        VALUES[:, [[5, 0], [2, 2]]],
        {"indices": np.array([[-1, 0], [2, 2]]), "axis": 1},
    ),
    "pad": (
        "pad",
        VALUES,
        F.pad(VALUES, (0, 3), value=2.0),
        {"pad": (0, 0, 0, 3), "mode": "constant", "constant_val": 2.0},
    ),
    "tile": ("tile", VALUES, VALUES.repeat(2, 3), {"reps": (2, 3)}),
    "reverse": ("reverse", VALUES, VALUES.flip(1), {"axes": (1,)}),
    "identity": ("identity", VALUES, VALUES, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_op(tmp_path: Path, name: str) -> None:
    kind, x, expected, arguments = CASES[name]
    y = result(tmp_path, kind, x, expected.shape, **arguments)
    assert float((y - expected).abs().max()) <= TOLERANCE


@pytest.mark.parametrize("kind", ["abs", "exp", "erf", "sqrt", "square", "relu", "tanh", "sigmoid"])
def test_function(tmp_path: Path, kind: str) -> None:
    x = VALUES.abs() + 0.1
    assert torch.equal(result(tmp_path, kind, x, x.shape), getattr(torch, kind)(x))


@pytest.mark.parametrize("kind", ["add", "sub", "mul", "pow", "maximum", "minimum"])
def test_function_of_two(tmp_path: Path, kind: str) -> None:
    x, y = VALUES.abs(), image(6, seed=5)
    expected = getattr(torch, kind)(x, y)
    assert torch.equal(result(tmp_path, kind, x, x.shape, y=array(y)), expected)


def test_attention_is_its_parts(tmp_path: Path) -> None:
    q = image(1, 2, 5, 4)
    k, v, mask = image(1, 2, 3, 4, seed=1), image(1, 2, 3, 6, seed=2), image(5, 3, seed=3)
    expected = (q @ k.mT / math.sqrt(4) + mask).softmax(-1) @ v
    y = result(
        tmp_path,
        "scaled_dot_product_attention",
        q,
        expected.shape,
        x="",
        query="%image",
        key=array(k),
        value=array(v),
        attn_mask=array(mask),
    )
    assert float((y - expected).abs().max()) <= TOLERANCE


def grid(mode: str, size: int, wanted: int, folder: Path) -> list[float]:
    """Where a mode takes each pixel from: what it gives for a ramp."""
    ramp = torch.arange(size, dtype=torch.float32).reshape(1, 1, 1, size)
    arguments = {"target_size_height": 1, "target_size_width": wanted, "sampling_mode": mode}
    y = result(folder, "resize_bilinear", ramp, (1, 1, 1, wanted), **arguments)
    return [round(float(point), 4) for point in y.reshape(-1)]


def test_grids_are_those_of_the_documentation(tmp_path: Path) -> None:
    documented = {
        "UNALIGN_CORNERS": [0, 0.1, 0.5, 0.9, 1],
        "STRICT_ALIGN_CORNERS": [0, 0.25, 0.5, 0.75, 1],
        "ALIGN_CORNERS": [0, 0.25, 0.5, 0.75, 1],
        "DEFAULT": [0, 0.4, 0.8, 1, 1],
        "OFFSET_CORNERS": [0.1, 0.3, 0.5, 0.7, 0.9],
    }
    found = {mode: grid(mode, 2, 5, tmp_path / mode) for mode in documented}
    assert found == documented
    assert grid("ALIGN_CORNERS", 4, 1, tmp_path / "one") == [1.5]


def test_half_precision_rounds_every_value(tmp_path: Path) -> None:
    x = torch.full((1, 1), 2049.0)  # between two numbers of half precision
    assert float(result(tmp_path / "a", "add", x, (1, 1), "fp16", y=0.0)) == 2048
    assert float(result(tmp_path / "b", "add", x, (1, 1), "fp32", y=0.0)) == 2049
    assert float(result(tmp_path / "c", "mul", x, (1, 1), "fp16", y=64.0)) == math.inf


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("gelu", {"mode": "SOMEHOW"}),
        ("resize_bilinear", {"sampling_mode": "SOMEHOW"}),
        ("conv", {"weight": np.ones((1, 6, 3), np.float32), "pad_type": "somehow"}),
        ("avg_pool", {"kernel_sizes": (4,), "strides": (3,), "ceil_mode": True}),
        ("upsample_nearest_neighbor", {"scale_factor_height": 1.5}),
        ("gather", {"indices": np.array([0]), "batch_dims": 1}),
        ("concat", {"values": ["%image"], "axis": 0, "interleave": True}),
        ("cast", {"dtype": "complex"}),
        ("pad", {"pad": (1, 1), "mode": "somehow"}),
    ],
)
def test_option_that_is_not_known_is_named(
    tmp_path: Path, kind: str, arguments: dict[str, Argument]
) -> None:
    with pytest.raises(EfspecError) as error:
        result(tmp_path, kind, image(1, 6, 6), (1, 6, 6), **arguments)
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.name, diagnostic.field) == ("unsupported-option", "y")
    assert f"`{kind}`" in diagnostic.message


@pytest.mark.parametrize("kind", sorted(OPS))
def test_no_op_without_its_arguments(tmp_path: Path, kind: str) -> None:
    with pytest.raises((DamagedError, EfspecError)):
        result(tmp_path, kind, image(1, 6), (9, 9, 9), x="")
