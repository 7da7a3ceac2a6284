"""What Core ML itself computes of a package, on each kind of unit: on a Mac only."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from efspec.coreml.quiet import quiet
from efspec.verify.images import Images
from efspec.verify.package import Package
from efspec.verify.run import numeric_outputs

UNITS = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")
"""Where Core ML may run a package; it may always choose the CPU for what the other cannot do."""


def is_available() -> bool:
    """Whether this system has Core ML."""
    return sys.platform == "darwin"


def predictions(
    package: Package, images: Sequence[Images]
) -> Iterator[tuple[str, list[tuple[Tensor, ...]]]]:
    """What Core ML gives for each batch of images, on each kind of unit.

    Args:
        package: The package.
        images: Batches of one image, where the package takes images.
    """
    with quiet():
        import coremltools

        name = package.program.inputs[0].name
        for unit in UNITS:
            units = coremltools.ComputeUnit[unit]
            model = coremltools.models.MLModel(str(package.path), compute_units=units)
            yield unit, [_outputs(package, model.predict({name: _fed(package, b)})) for b in images]


def _fed(package: Package, images: Images) -> Any:
    if package.image is None or images.pixels is None:
        return images.normal.numpy()
    from PIL import Image

    pixels = images.pixels[0].to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _outputs(package: Package, found: dict[str, Any]) -> tuple[Tensor, ...]:
    """The outputs in the program's order; of labelled probabilities, those of all labels."""
    results = []
    for name in numeric_outputs(package.program):
        value = found[name]
        if isinstance(value, dict):
            results.append(torch.tensor([[value[label] for label in package.labels or ()]]))
        else:
            results.append(torch.from_numpy(value))
    return tuple(results)
