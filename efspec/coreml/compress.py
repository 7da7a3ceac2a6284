"""Smaller weights, by coremltools' own means."""

from __future__ import annotations

from pathlib import Path
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


def compressed(
    model: Any, folder: Path, compression: Compression, program: Any
) -> tuple[Any, Path]:
    """A protobuf model with compressed weights, and the folder of its weights' file.

    Args:
        model: The model.
        folder: Where its weights' file is.
        compression: How weights are compressed.
        program: The coremltools `Program` that it is of.
    """
    import coremltools as ct
    import coremltools.optimize.coreml as cto

    package = ct.models.MLModel(model, weights_dir=str(folder), skip_model_load=True)
    if compression == "int8":
        integers = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", weight_threshold=MIN_INTEGERS
        )
        config = cto.OptimizationConfig(global_config=integers)
        for name in _too_small(program):
            config.set_op_name(name, None)
        smaller = cto.linear_quantize_weights(package, config)
    else:
        bits = int(compression.removeprefix("pal"))
        palette = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=MIN_PALETTE)
        config = cto.OptimizationConfig(global_config=palette)
        smaller = cto.palettize_weights(package, config)
    return smaller.get_spec(), Path(smaller.weights_dir)


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
