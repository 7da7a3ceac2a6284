"""Attention biases at another input size."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import efspec
from efspec.pytorch.adapt import adapt, lay_out
from efspec.pytorch.resize import Retargeted, interpolate, maps, source_maps
from tests.pytorch.test_golden import MODELS, TIMM_NAMES, checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what timm warns of at import is not ours
    import timm

TOLERANCE = 1e-5
"""Single precision, on biases of order one."""
TIMM_TOLERANCE = 1e-4
"""The same sums in another order, in single precision, on logits of order one."""

MAPS = [(1, 1), (1, 5), (2, 3), (4, 4), (7, 7), (8, 10), (14, 9)]


def table(heads: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(golden.fill("attention_biases", (heads, size[0] * size[1])))


def kernel(source: int, target: int) -> np.ndarray:
    """Weights (target, source) of the rule in one direction, written out from its definition.

    Offset `o` of the target is read at `o * (source - 1) / (target - 1)`, with the cubic
    convolution kernel for A = -0.75; a negative offset is its positive one, and beyond the
    farthest the farthest is repeated.
    """
    weights = np.zeros((target, source))
    for offset in range(target):
        at = offset * (source - 1) / max(target - 1, 1)
        for tap in range(int(at) - 1, int(at) + 3):
            d = abs(at - tap)
            near = (1.25 * d - 2.25) * d * d + 1
            far = ((-0.75 * d + 3.75) * d - 6) * d + 3
            weights[offset, min(abs(tap), source - 1)] += near if d <= 1 else far if d < 2 else 0
    return weights


@pytest.mark.parametrize("target", MAPS, ids=str)
@pytest.mark.parametrize("source", MAPS, ids=str)
def test_it_is_the_rule(source: tuple[int, int], target: tuple[int, int]) -> None:
    biases = table(3, source)
    found = interpolate(biases, source, target)
    rows, columns = kernel(source[0], target[0]), kernel(source[1], target[1])
    expected = rows @ biases.double().numpy().reshape(3, *source) @ columns.T
    assert found.shape == (3, target[0] * target[1])
    assert np.abs(found.numpy() - expected.reshape(3, -1)).max() < TOLERANCE


def test_the_same_map_is_the_identity() -> None:
    biases = table(2, (5, 3))
    assert interpolate(biases, (5, 3), (5, 3)) is biases


def test_the_nearest_and_the_farthest_offset_keep_their_biases() -> None:
    biases = table(2, (7, 5))
    found = interpolate(biases, (7, 5), (13, 9))
    assert torch.allclose(found[:, 0], biases[:, 0], atol=TOLERANCE)
    assert torch.allclose(found[:, -1], biases[:, -1], atol=TOLERANCE)
    # Twice the resolution less one: every other offset is one of the source's.
    kept = found.view(2, 13, 9)[:, ::2, ::2].flatten(1)
    assert torch.allclose(kept, biases, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_types_are_kept(dtype: torch.dtype) -> None:
    biases = table(2, (7, 7)).to(dtype)
    found = interpolate(biases, (7, 7), (8, 10))
    assert found.dtype == dtype
    precise = interpolate(biases.double(), (7, 7), (8, 10))
    allowed = TOLERANCE + 4 * torch.finfo(dtype).eps
    assert float((found.double() - precise).abs().max()) < allowed


@pytest.mark.parametrize("size", [(224, 224), (256, 256), (200, 333), (800, 1333), (32, 64)])
@pytest.mark.parametrize("model", MODELS)
def test_source_maps_are_those_of_the_network_at_that_size(
    model: str, size: tuple[int, int]
) -> None:
    plan = efspec.resolve(efspec.load(model))
    there = efspec.resolve(efspec.load(model, set=[f"input.size=[{size[0]}, {size[1]}]"]))
    assert source_maps(plan, size) == maps(there)


@pytest.mark.parametrize("model", ["v2_s0", "v2_l"])
@torch.no_grad()
def test_timm_gives_the_same_logits_at_the_new_size(model: str) -> None:
    plan = efspec.resolve(efspec.load(model, set=["input.size=[256, 160]"]))
    adapted = adapt(plan, checkpoint(model, "official"))
    assert len(adapted.retargeted) == len(maps(plan))
    ours = efspec.build(plan).eval()
    ours.load_state_dict(adapted.state)
    theirs = timm.create_model(TIMM_NAMES[model], img_size=(256, 160)).eval()
    theirs.load_state_dict(lay_out(plan, adapted.state, "timm"), strict=True)
    x = torch.from_numpy(golden.image(2, 256))[:, :, :, :160]
    logits = ours(x)
    assert torch.isfinite(logits).all()
    assert float((theirs(x) - logits).abs().max()) < TIMM_TOLERANCE


@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
def test_a_checkpoint_loads_at_another_size_and_says_so(model: str, tmp_path: Path) -> None:
    state = checkpoint(model, "official")
    file = tmp_path / "checkpoint.pth"
    torch.save(state, file)
    spec = efspec.load(model, set=["input.size=[250, 384]"])
    plan = efspec.resolve(spec)
    with pytest.warns(efspec.CheckpointWarning) as told:
        module = efspec.build(spec, weights=file)
    said = " ".join(str(warning.message) for warning in told)
    assert all(warning.filename == __file__ for warning in told)
    same = adapt(efspec.resolve(efspec.load(model)), state).state
    for key, tensor in module.state_dict().items():
        if key not in maps(plan):
            assert torch.equal(tensor, same[key])
            continue
        side = 14 if "downsample" in key else 7
        target = maps(plan)[key]
        assert torch.equal(tensor, interpolate(same[key], (side, side), target))
        assert key.removesuffix(".attention_biases") in said
        assert f"from {side}x{side} to {target[0]}x{target[1]}" in said


def test_the_size_that_it_was_trained_at_may_have_to_be_said(tmp_path: Path) -> None:
    wide = efspec.resolve(efspec.load("v2_s0", set=["input.size=[192, 256]"]))
    file = tmp_path / "wide.pth"
    torch.save(efspec.build(wide).state_dict(), file)
    spec = efspec.load("v2_s0")
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.build(spec, weights=file)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == "unknown-source-size"
    assert "--from-size" in diagnostic.fix
    assert diagnostic.message.count("has 48 offsets") == 4
    with pytest.raises(efspec.EfspecError) as caught:
        efspec.build(spec, weights=file, from_size=(192, 320))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == "wrong-source-size"
    assert "has 192 offsets, not 12x20" in diagnostic.message
    for size in (16, (192, 10_000)):
        with pytest.raises(efspec.EfspecError, match="bad-source-size"):
            efspec.build(spec, weights=file, from_size=size)
    with pytest.warns(efspec.CheckpointWarning) as told:
        efspec.build(spec, weights=file, from_size=(192, 256))
    assert "interpolated from 6x8 to 7x7: " in str(told[0].message)
    assert "interpolated from 12x16 to 14x14: " in str(told[1].message)


def test_maps_of_as_many_offsets_are_told_apart() -> None:
    square, long = (
        efspec.resolve(efspec.load("v2_s0", set=[f"input.size={size}"]))
        for size in ("192", "[128, 288]")
    )
    state = efspec.build(square).state_dict()
    assert {6 * 6, 4 * 9} == {36}  # every table has as many offsets on both inputs
    assert adapt(long, state).retargeted == ()
    retargeted = adapt(long, state, from_size=(192, 192)).retargeted
    assert {(table.source, table.target) for table in retargeted} == {
        ((6, 6), (4, 9)),
        ((12, 12), (8, 18)),
    }
    # One table that differs tells of all that they are of a square.
    uneven = efspec.resolve(efspec.load("v2_s0", set=["input.size=[128, 272]"]))
    assert (
        Retargeted("stages.3.blocks.3.token_mixer.attention_biases", (6, 6), (4, 9))
        in adapt(uneven, state).retargeted
    )


def test_tables_of_other_heads_are_misshapen() -> None:
    plan = efspec.resolve(efspec.load("v2_s0", set=["input.size=256"]))
    state = checkpoint("v2_s0", "timm")
    key = "stages.3.blocks.3.token_mixer.attention_biases"
    for wrong in (torch.zeros(4, 49), torch.zeros(8), torch.zeros(8, 49, 1)):
        with pytest.raises(efspec.EfspecError) as caught:
            adapt(plan, {**state, key: wrong})
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.name == "misshapen-keys"
        assert f"{key} is {tuple(wrong.shape)}, not (8, 64)" in diagnostic.message
    with pytest.raises(efspec.EfspecError, match="unknown-source-size"):
        adapt(plan, {**state, key: torch.zeros(8, 0)})
