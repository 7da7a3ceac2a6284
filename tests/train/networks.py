"""Small networks and jobs that the tests train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import efspec
from efspec.plan import Plan
from efspec.pytorch.build import build_module
from efspec.train.data import Data, read_data
from efspec.train.loaders import loaders
from efspec.train.loop import Job, make_accelerator
from efspec.train.methods import Alone
from efspec.train.recipe import RecipeSpec

TINY: dict[str, Any] = {
    "efspec": 1,
    "name": "tiny",
    "input": {"size": 32, "channels": 1},
    "defaults": {"layer_scale": 0.1, "drop_path": 0.1},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {"width": 8, "blocks": [{"type": "ffn", "expansion_ratio": 2}]},
        {
            "width": 16,
            "downsample": {"type": "conv"},
            "blocks": [
                {"type": "ffn", "expansion_ratio": 2},
                {"type": "attn_ffn", "num_heads": 2, "key_dim": 4, "attn_ratio": 2},
            ],
        },
    ],
    "head": {"type": "distilled", "classes": 10},
}
SPACE: dict[str, Any] = {
    "efspec": 1,
    "name": "tiny_space",
    "input": {"size": 32, "channels": 1},
    "defaults": {"layer_scale": 0.1, "drop_path": 0.1},
    "stem": {"type": "conv_stem"},
    "stages": [
        {"width": [4, 8], "depth": [1, 2], "block": {"type": "ffn"}, "expansion_ratio": [1, 2]},
        {
            "width": [8, 16],
            "depth": [1, 2],
            "downsample": {"type": "conv"},
            "block": {"type": "ffn"},
            "attention": {"type": "attn_ffn", "num_heads": 2, "key_dim": 4, "attn_ratio": 2},
            "attention_depth": [0, 1],
            "expansion_ratio": [1, 2],
        },
    ],
    "head": {"type": "linear", "classes": 10},
    "objective": {
        "score": 100,
        "terms": {
            "params": {"unit": 4000, "exponent": -0.5},
            "macs": {"unit": 1e5, "exponent": -1},
        },
    },
}
"""A search space of such networks."""
QUICK: dict[str, Any] = {
    "efspec": 1,
    "name": "quick",
    "epochs": 3,
    "batch": 128,
    "optimizer": {"name": "adamw", "lr": 2e-3, "weight_decay": 0.02},
    "augmentation": {"interpolation": "bilinear", "scale": [0.7, 1.0], "hflip": 0.0, "crop": 1.0},
    "ema": 0.9,
}
"""A recipe; every kind of chance is in it, with the drop path of `TINY`."""


def plan(**changes: Any) -> Plan:
    return efspec.resolve(efspec.load({**TINY, **changes}))


def recipe(**changes: Any) -> RecipeSpec:
    values = {**QUICK, **changes}
    return RecipeSpec.model_validate(values)


def job(
    network: Plan | None = None, how: RecipeSpec | None = None, data: Data | None = None
) -> Job:
    network, how = network or plan(), how or recipe()
    read = loaders(how, data or read_data("digits"), network.input)
    return Job(Alone(network), build_module(network, how.seed), how, read)


def accelerator(how: RecipeSpec | None = None) -> Any:
    return make_accelerator(how or recipe())


def write(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Files of the network and of the recipe, which may be changed."""
    spec = folder / "tiny.yaml"
    spec.write_text(yaml.safe_dump(TINY))
    return spec, write_recipe(folder, **changes)


def write_recipe(folder: Path, **changes: Any) -> Path:
    """The file of the recipe, which may be changed."""
    how = folder / "quick.yaml"
    how.write_text(yaml.safe_dump({**QUICK, **changes}))
    return how


def folder_of_images(folder: Path, count: int = 24) -> Path:
    """A folder with images of three classes, which are told apart by their colour."""
    random = np.random.default_rng(0)
    for label in range(3):
        own = folder / f"class_{label}"
        own.mkdir(parents=True)
        for index in range(count // 3):
            pixels = random.integers(0, 100, (40, 48, 3), dtype=np.uint8)
            pixels[..., label] += 150
            Image.fromarray(pixels).save(own / f"{index}.png")
    return folder
