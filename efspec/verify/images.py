"""The images that packages and modules are compared on."""

from __future__ import annotations

import torch
from torch import Tensor

from efspec.coreml.options import Normal
from efspec.errors import fail
from efspec.record import Node
from efspec.verify.package import Image


class Images(Node):
    """A batch of images, as networks take them and as pixels.

    Attributes:
        normal: As networks take them: (B, C, H, W).
        pixels: The same from 0 to 255, whole numbers; None where no one takes pixels.
    """

    normal: Tensor
    pixels: Tensor | None

    def taken(self, image: Image | None) -> Tensor:
        """The input of a package that takes images in such a way, or tensors."""
        if image is None or self.pixels is None:
            return self.normal
        return self.pixels.flip(1) if image.order == "BGR" else self.pixels


def random_images(
    shape: tuple[int, ...], batches: int, normal: Normal | None, seed: int = 0
) -> list[Images]:
    """Batches of random images, the same each time.

    Args:
        shape: Shape of a batch (B, C, H, W).
        batches: How many.
        normal: How pixels are normalised; None for images that are standard normal, and no pixels.
        seed: Another gives other images.

    Raises:
        EfspecError: When there are not as many means as channels.
    """
    generator = torch.Generator().manual_seed(seed)
    if normal is None:
        return [Images(torch.randn(shape, generator=generator), None) for _ in range(batches)]
    if not len(normal.mean) == len(normal.std) == shape[1]:
        message = f"{len(normal.mean)} means and {len(normal.std)} deviations"
        raise fail("wrong-length", message, expected=f"one of each for {shape[1]} channels")
    mean = torch.tensor(normal.mean, dtype=torch.float64).reshape(-1, 1, 1)
    std = torch.tensor(normal.std, dtype=torch.float64).reshape(-1, 1, 1)
    found = []
    for _ in range(batches):
        pixels = torch.randint(256, shape, generator=generator).double()
        found.append(Images(((pixels / 255 - mean) / std).float(), pixels.float()))
    return found
