"""Smaller weights, by coremltools' own means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from efspec.coreml.options import Compression

MIN_INTEGERS = 2048
"""Fewest numbers of a tensor that is stored as eight-bit integers; coremltools' own default."""
MIN_PALETTE = 10_000
"""Fewest numbers of a tensor that gets a palette: k-means of fewer needs scikit-learn, and saves
next to nothing."""


def compressed(model: Any, folder: Path, compression: Compression) -> tuple[Any, Path]:
    """A protobuf model with compressed weights, and the folder of its weights' file.

    Args:
        model: The model.
        folder: Where its weights' file is.
        compression: How weights are compressed.
    """
    import coremltools as ct
    import coremltools.optimize.coreml as cto

    package = ct.models.MLModel(model, weights_dir=str(folder), skip_model_load=True)
    if compression == "int8":
        integers = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", weight_threshold=MIN_INTEGERS
        )
        config = cto.OptimizationConfig(global_config=integers)
        smaller = cto.linear_quantize_weights(package, config)
    else:
        bits = int(compression.removeprefix("pal"))
        palette = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=MIN_PALETTE)
        config = cto.OptimizationConfig(global_config=palette)
        smaller = cto.palettize_weights(package, config)
    return smaller.get_spec(), Path(smaller.weights_dir)
