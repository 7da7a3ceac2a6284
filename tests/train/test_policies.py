"""Policies of timm's at every severity that they may draw."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image
from timm.data import create_transform

from efspec.train.policies import mended

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def policy(name: str) -> Any:
    _, change, _ = create_transform(32, is_training=True, auto_augment=name, separate=True)
    (found,) = map(mended, change.transforms)
    return found


@pytest.mark.parametrize("name", ["rand-m9-mstd0.5-inc1", "rand-m10-inc1", "original", "augmix-m5"])
def test_no_draw_fails(name: str) -> None:
    random.seed(0)
    np.random.seed(0)
    change, image = policy(name), Image.fromarray(PIXELS)
    assert len({change(image).tobytes() for _ in range(200)}) > 20


def test_images_without_bits_are_black() -> None:
    (op,) = (op for op in policy("rand-m10-inc1").ops if op.name == "PosterizeIncreasing")
    image = Image.fromarray(PIXELS)
    assert not np.asarray(op.aug_fn(image, 0)).any()
    assert (np.asarray(op.aug_fn(image, 2)) == PIXELS & 0b11000000).all()
