"""The published outputs, from checkpoints in the published layouts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import efspec
from efspec.pytorch.adapt import adapt, detect
from efspec.pytorch.layouts import tensors

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import golden  # noqa: E402  the rule that fills checkpoints

TOLERANCE = 1e-5
"""The originals differ by less than 1e-6 between float64 and float32."""

TIMM_NAMES = {
    "v1_l1": "efficientformer_l1",
    "v1_l3": "efficientformer_l3",
    "v1_l7": "efficientformer_l7",
    "v2_s0": "efficientformerv2_s0",
    "v2_s1": "efficientformerv2_s1",
    "v2_s2": "efficientformerv2_s2",
    "v2_l": "efficientformerv2_l",
}
MODELS = list(TIMM_NAMES)


def layout_of(model: str, layout: str) -> dict[str, tuple[int, ...]]:
    """Key and shape of each tensor of a published checkpoint."""
    key = TIMM_NAMES[model] if layout == "timm" else model.removeprefix("v1_")
    shapes = json.loads((GOLDEN / f"{layout}_layouts.json").read_text())[key]
    return {name: tuple(shape) for name, shape in shapes.items()}


def logits_of(model: str, layout: str) -> np.ndarray:
    """Published logits (2, 1000)."""
    key = TIMM_NAMES[model] if layout == "timm" else model.removeprefix("v1_")
    with np.load(GOLDEN / f"{layout}_logits.npz") as logits:
        return logits[key]


def checkpoint(model: str, layout: str) -> dict[str, torch.Tensor]:
    shapes = layout_of(model, layout)
    return {key: torch.from_numpy(np.asarray(golden.fill(key, s))) for key, s in shapes.items()}


@pytest.mark.parametrize("layout", ["official", "timm"])
@pytest.mark.parametrize("model", MODELS)
def test_names_and_shapes_are_the_published_ones(model: str, layout: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    ours = {tensor.key: tensor.shape for tensor in tensors(plan, layout).values()}  # type: ignore[arg-type]
    assert ours == layout_of(model, layout)


@pytest.mark.parametrize("model", [m for m in MODELS if m.startswith("v2")])
def test_own_names_of_v2_are_timms(model: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    assert {**plan.parameters(), **plan.buffers()} == layout_of(model, "timm")


@pytest.mark.parametrize("layout", ["official", "timm"])
@pytest.mark.parametrize("model", MODELS)
def test_golden_checkpoint_gives_the_golden_logits(model: str, layout: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    state = checkpoint(model, layout)
    fits = detect(plan, state)
    assert fits == layout or (fits == "efspec" and layout == "timm" and model.startswith("v2"))
    module = efspec.build(plan).eval()
    module.load_state_dict(adapt(plan, state).state)
    with torch.no_grad():
        logits = module(torch.from_numpy(golden.image(2, 224)))
    assert np.abs(logits.numpy() - logits_of(model, layout)).max() < TOLERANCE


@pytest.mark.parametrize("model", MODELS)
def test_stages_have_the_golden_statistics(model: str) -> None:
    plan = efspec.resolve(efspec.load(model))
    module = efspec.build(plan).eval()
    module.load_state_dict(adapt(plan, checkpoint(model, "official")).state)
    key = model.removeprefix("v1_")
    published = json.loads((GOLDEN / "official_stage_statistics.json").read_text())[key]["stages"]
    with torch.no_grad():
        x = module.stem(torch.from_numpy(golden.image(2, 224)))  # type: ignore[operator]
        for stage, expected in zip(module.stages, published, strict=True):  # type: ignore[arg-type]
            x = stage(x)
            assert list(x.shape) == expected["shape"]
            assert abs(float(x.mean()) - expected["mean"]) < TOLERANCE
            assert abs(float(x.std(correction=0)) - expected["std"]) < TOLERANCE * 10
            assert abs(float(x.abs().max()) - expected["absmax"]) < TOLERANCE * 10
