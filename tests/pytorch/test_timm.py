"""Live against timm: names, outputs at several sizes, with weights of order one."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import torch

import efspec
from efspec.pytorch.adapt import adapt
from tests.pytorch.test_golden import MODELS, TIMM_NAMES
from tests.pytorch.test_random import filled

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what timm warns of at import is not ours
    import timm

TOLERANCE = 1e-4
"""The same sums in another order, in single precision, on logits of order one."""

CASES = [(model, 224) for model in MODELS]
CASES += [(model, size) for model in MODELS if model.startswith("v2") for size in (256, 192)]


@pytest.mark.parametrize(("model", "size"), CASES)
@torch.no_grad()
def test_computes_what_timm_computes(model: str, size: int) -> None:
    options = {"img_size": size} if model.startswith("v2") else {}
    theirs = timm.create_model(TIMM_NAMES[model], **options).eval()
    # V1's index tables are in timm's state dict; they follow from the size.
    tables = {k: v for k, v in theirs.state_dict().items() if k.endswith("attention_bias_idxs")}
    state = filled({k: v for k, v in theirs.state_dict().items() if k not in tables})
    theirs.load_state_dict(state | tables)
    plan = efspec.resolve(efspec.load(model, set=[f"input.size={size}"]))
    ours = efspec.build(plan).eval()
    ours.load_state_dict(adapt(plan, state).state)
    x = torch.from_numpy(golden.image(2, size))
    expected = theirs(x)
    assert float(expected.abs().max()) > 0.1
    assert float((ours(x) - expected).abs().max()) < TOLERANCE


@pytest.mark.parametrize("model", [m for m in MODELS if m.startswith("v2")])
def test_state_dicts_of_v2_are_timms(model: str) -> None:
    theirs = timm.create_model(TIMM_NAMES[model]).state_dict()
    ours = efspec.build(efspec.load(model)).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
