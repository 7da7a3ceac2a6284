"""Smaller weights, by coremltools' own means."""

from __future__ import annotations

from typing import Any

import numpy as np

from efspec.coreml.options import Compression

MIN_INTEGERS = 2048
"""Fewest numbers of a tensor that is stored as eight-bit integers; coremltools' own default."""
MIN_SCALE = 4e-6
"""Least step between two integers: steps are kept in half precision, which is too coarse below."""
MIN_PALETTE = 10_000
"""Fewest numbers of a tensor that gets a palette: k-means of fewer needs scikit-learn, and saves
next to nothing."""


def compress(program: Any, compression: Compression) -> None:
    """Compress the weights of a program.

    coremltools' functions for packages convert the whole program anew behind that, and drop and
    rename ops on the way. Their passes leave the rest alone.

    Args:
        program: A coremltools `Program`.
        compression: How its weights are compressed.
    """
    from coremltools.optimize import coreml as cto
    from coremltools.optimize.coreml import _quantization_passes as passes

    if compression == "int8":
        integers = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", weight_threshold=MIN_INTEGERS
        )
        config = cto.OptimizationConfig(global_config=integers)
        for name in _too_small(program):
            config.set_op_name(name, None)
        passes.linear_quantize_weights(config, fake_compression=False).apply(program)
        return
    bits = int(compression.removeprefix("pal"))
    palette = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=MIN_PALETTE)
    config = cto.OptimizationConfig(global_config=palette)
    passes.palettize_weights(config, fake_compression=False).apply(program)


def _too_small(program: Any) -> list[str]:
    """Names of constants of which a channel cannot be told apart in 255 steps."""
    found = []
    for op in program.functions["main"].find_ops(op_type="const"):
        value = op.outputs[0].val
        if isinstance(value, np.ndarray) and value.ndim > 1 and value.dtype.kind == "f":
            largest = np.abs(value.astype(np.float32)).reshape(len(value), -1).max(axis=1)
            if largest.min() / 127 < MIN_SCALE:
                found.append(op.name)
    return found
