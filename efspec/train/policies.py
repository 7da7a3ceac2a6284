"""Policies of augmentations, as timm makes them, on every release of Pillow."""

from __future__ import annotations

from typing import Any

from PIL import Image
from timm.data.auto_augment import posterize


def mended(policy: Any) -> Any:
    """A policy, or anything else that is done to images, which leaves images without bits black.

    timm's increasing severities end at none, and at times `rand-m9-mstd0.5-inc1` draws that. Since
    13.0 Pillow refuses what it made a black image of before.

    Args:
        policy: What timm made; it is changed.
    """
    single = getattr(policy, "ops", ())
    several = getattr(policy, "policy", ())
    for op in (*single, *(op for ops in several for op in ops)):
        if op.aug_fn is posterize:
            op.aug_fn = posterized
    return policy


def posterized(image: Image.Image, bits: int, **others: Any) -> Image.Image:
    """An image with so many bits of each colour, from 0.

    Args:
        image: The image.
        bits: How many of its bits are kept.
        others: What timm hands to all operations.
    """
    if bits < 1:
        return Image.new(image.mode, image.size)
    done: Image.Image = posterize(image, bits, **others)
    return done
