"""Small spaces, and supernets of them whose weights and statistics are of order one."""

from __future__ import annotations

import random
from typing import TypeVar

import torch
from torch import Tensor

from efspec.spec.candidates import Candidate, largest, sample, smallest
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import read_space
from efspec.supernet import Supernet

SupernetT = TypeVar("SupernetT", bound=Supernet)

SMALL_ATTENTION = {"num_heads": 2, "key_dim": 4, "attn_ratio": 2}
V2: dict[str, object] = {
    "efspec": 1,
    "name": "small_v2",
    "input": {"size": 64},
    "defaults": {"layer_scale": 0.5},
    "stem": {"type": "conv_stem"},
    "stages": [
        {"width": [8, 12], "depth": [1, 2], "block": {"type": "ffn"}, "expansion_ratio": [1, 2]},
        {
            "width": [8, 16],
            "depth": [1, 2, 3],
            "downsample": {"type": "conv"},
            "block": {"type": "ffn"},
            "attention": {"type": "attn_ffn", "stride": 2, **SMALL_ATTENTION},
            "attention_depth": [0, 1, 2],
            "expansion_ratio": [1, 2],
        },
        {
            "width": [12, 16],
            "depth": [2, 3],
            "downsample": {"type": "attention", **SMALL_ATTENTION},
            "block": {"type": "ffn"},
            "attention": {"type": "attn_ffn", **SMALL_ATTENTION},
            "attention_depth": [1, 2],
            "expansion_ratio": [1, 2],
        },
    ],
    "head": {"type": "distilled", "classes": 5},
}
V1: dict[str, object] = {
    "efspec": 1,
    "name": "small_v1",
    "input": {"size": 64},
    "defaults": {"layer_scale": 0.5},
    "stem": {"type": "conv_stem", "act": "relu"},
    "stages": [
        {"width": [8, 12], "depth": [1, 2], "block": {"type": "mb4d"}, "expansion_ratio": [2]},
        {
            "width": [8, 16],
            "depth": [1, 2, 3],
            "downsample": {"type": "conv"},
            "block": {"type": "mb4d"},
            "attention": {"type": "mb3d", **SMALL_ATTENTION},
            "attention_depth": [0, 1, 2],
            "expansion_ratio": [2],
        },
        {
            "width": [12, 16],
            "depth": [1, 2],
            "downsample": {"type": "conv"},
            "block": {"type": "mb4d", "mixer": "dwconv"},
            "attention": {"type": "mb3d", **SMALL_ATTENTION},
            "attention_depth": [1, 2],
            "expansion_ratio": [2],
        },
    ],
    "head": {"type": "distilled", "classes": 5},
}


def stages(fields: dict[str, object]) -> list[dict[str, object]]:
    found = fields["stages"]
    assert isinstance(found, list)
    return found


def space(fields: dict[str, object]) -> SpaceSpec:
    return SpaceSpec.model_validate(fields)


def at_size(name: str, size: int) -> SpaceSpec:
    """A shipped space for images of another size."""
    shipped = read_space(name)
    return shipped.model_copy(update={"input": shipped.input.model_copy(update={"size": size})})


def candidates(of: SpaceSpec, count: int) -> list[Candidate]:
    """The smallest member, the largest, and random ones."""
    chance = random.Random(0)
    return [smallest(of), largest(of), *(sample(of, chance) for _ in range(count))]


def images(of: SpaceSpec, count: int = 2, seed: int = 0) -> Tensor:
    height, width = of.input.height_width
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, of.input.channels, height, width, generator=generator)


@torch.no_grad()
def filled(supernet: SupernetT) -> SupernetT:
    """The supernet in eval mode with other weights, and with statistics everywhere."""
    generator = torch.Generator().manual_seed(1)
    for parameter in supernet.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    for name, buffer in supernet.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(1)
        else:
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.1)
    supernet.eval()
    return supernet
