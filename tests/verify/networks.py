"""Networks to make packages of, with weights of order one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import efspec
from efspec.plan import Plan

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

SMALL = {
    "efspec": 1,
    "name": "small",
    "input": {"size": 64},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {
            "width": 8,
            "blocks": [
                {"type": "ffn", "expansion_ratio": 2},
                {"type": "mb4d", "expansion_ratio": 2, "act": "hardswish"},
            ],
        },
        {
            "width": 16,
            "downsample": {"type": "attention"},
            "blocks": [
                {
                    "type": "attn_ffn",
                    "stride": 2,
                    "expansion_ratio": 2,
                    "num_heads": 2,
                    "key_dim": 4,
                    "attn_ratio": 2,
                }
            ],
        },
        {
            "width": 24,
            "downsample": {"type": "conv"},
            "blocks": [
                {"type": "mb4d", "expansion_ratio": 2, "act": "silu"},
                {"type": "mb3d", "expansion_ratio": 2, "num_heads": 2, "key_dim": 4},
            ],
        },
    ],
    "head": {"type": "distilled", "classes": 10},
}
"""Every kind of block, in the sizes of a stamp."""

State = dict[str, Tensor]


def small(**changes: object) -> Plan:
    return efspec.resolve(efspec.load(SMALL | changes))


def weights(plan: Plan) -> State:
    """Values of order one: at their initial values, faults of many layers would not show."""
    shapes = {**plan.parameters(), **plan.buffers()}
    return {k: torch.from_numpy(np.asarray(golden.fill(k, shape))) for k, shape in shapes.items()}


def module(plan: Plan, state: State) -> torch.nn.Module:
    built = efspec.build(plan).eval()
    built.load_state_dict(state)
    return built
