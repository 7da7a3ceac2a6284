"""Packages that coremltools makes of timm's models, with the golden weights, read from disk."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import efspec
from efspec.pytorch.adapt import adapt
from efspec.verify import (
    FP16_TOLERANCE,
    FP32_TOLERANCE,
    Reference,
    Report,
    module_reference,
    read_package,
    verify,
)
from efspec.verify.run import Runner
from tests.pytorch.test_golden import TIMM_NAMES, checkpoint, logits_of
from tests.verify.packages import convert

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import golden

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what timm warns of at import is not ours
    import timm

GOLDEN_TOLERANCE = 1e-5
"""The golden logits are those of single precision, summed in another order."""

HISTOGRAMS = {
    "v1_l1": {"conv": 33, "add": 32, "mul": 18, "gelu": 15, "avg_pool": 14, "sub": 14, "linear": 6},
    "v2_s0": {"conv": 83, "gelu": 35, "add": 31, "reshape": 20, "matmul": 10, "mul": 6},
}
"""How many of some ops coremltools 9.0 writes."""


def timms(model: str) -> torch.nn.Module:
    """timm's module with the golden weights."""
    theirs = timm.create_model(TIMM_NAMES[model]).eval()
    tables = {k: v for k, v in theirs.state_dict().items() if k.endswith("attention_bias_idxs")}
    theirs.load_state_dict(checkpoint(model, "timm") | tables)
    return theirs


def ours(model: str) -> Reference:
    plan = efspec.resolve(efspec.load(model))
    return module_reference(plan, adapt(plan, checkpoint(model, "timm")).state)


def relative(report: Report, name: str, precision: str) -> float:
    (check,) = (c for c in report.checks if (c.name, c.precision) == (name, precision))
    assert check.figures is not None
    assert check.figures.same_top == check.figures.images
    return check.figures.relative


@pytest.mark.parametrize("model", ["v1_l1", "v2_s0"])
@torch.no_grad()
def test_traced_packages_encode_our_networks(model: str, tmp_path: Path) -> None:
    module, reference = timms(model), ours(model)
    single = read_package(convert(module, (1, 3, 224, 224), tmp_path, "single"))
    half = read_package(convert(module, (1, 3, 224, 224), tmp_path, "half", half=True))

    runner = Runner(single.program, "fp32")
    logits = [runner.run(x[None])[0] for x in torch.from_numpy(golden.image(2, 224))]
    assert np.abs(torch.cat(logits).numpy() - logits_of(model, "timm")).max() < GOLDEN_TOLERANCE

    report = verify(single, reference, images=2)
    assert report.agrees
    assert HISTOGRAMS[model].items() <= dict(report.ops).items()
    assert relative(report, "package", "fp32") <= FP32_TOLERANCE

    report = verify(half, reference, twin=single, images=2)
    assert report.agrees
    assert relative(report, "twin", "fp32") <= FP32_TOLERANCE
    for precision in ("fp32", "fp16"):
        # What halves the precision shows: this is the tolerance that a fault may hide in.
        assert FP32_TOLERANCE < relative(report, "package", precision) <= FP16_TOLERANCE
    assert len(report.proves) == 2
