"""Packages with a fault: each is found, and the op that has it is the one that is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from efspec.verify import Package, read_package, verify
from tests.verify.conftest import Small
from tests.verify.mutants import (
    Mutant,
    Patient,
    drop,
    flip,
    negate,
    numbers,
    replace,
    reverse,
    rewire,
    skip,
    swap_inputs,
    swap_outputs,
    text,
)

MUTANTS: dict[str, Mutant] = {
    # Weights and biases
    "first-weight": flip("conv", 0, "weight"),
    "depthwise-weight": flip("conv", 3, "weight"),
    "query-weight": flip("conv", 17, "weight"),
    "talking-head": flip("conv", 19, "weight"),
    "last-conv-weight": flip("conv", 27, "weight"),
    "linear-weight": flip("linear", 0, "weight"),
    "head-weight": flip("linear", 4, "weight"),
    "other-head-weight": flip("linear", 5, "weight"),
    "conv-bias": flip("conv", 2, "bias"),
    "depthwise-bias": flip("conv", 23, "bias"),
    "linear-bias": flip("linear", 3, "bias"),
    "head-bias": flip("linear", 5, "bias"),
    "norm-weight": flip("layer_norm", 0, "gamma"),
    "norm-bias": flip("layer_norm", 2, "beta"),
    "layer-scale": flip("mul", 0, "y"),
    "token-layer-scale": flip("mul", 7, "y"),
    "channels": reverse("conv", 5, "weight"),
    "no-bias": drop("conv", 26, "bias"),
    # Windows
    "padding-by-one": numbers("conv", 3, "pad", 2, 0, 2, 0),
    "padding-of-stride-2": numbers("conv", 14, "pad", 0, 2, 0, 2),
    "padding-mode": text("conv", 14, "pad_type", "same"),
    "pooling-border": negate("avg_pool", 0, "exclude_padding_from_average"),
    "pooling-padding": numbers("avg_pool", 2, "pad", 2, 0, 0, 2),
    "max-for-mean": replace("avg_pool", 2, "max_pool"),
    "upsampling-corners": negate("upsample_bilinear", 0, "align_corners"),
    # Attention
    "scores-transposed": swap_inputs("matmul", 2, "x", "y"),
    "attention-transposed": negate("matmul", 5, "transpose_y"),
    "heads-of-bias": reverse("add", 4, "y"),
    "heads-of-other-bias": reverse("add", 7, "y"),
    "queries-for-keys": swap_outputs("split", 0, 0, 1),
    "scale": numbers("mul", 2, "y", 0.5),
    "softmax-axis": numbers("softmax", 0, "axis", -2),
    "softmax-over-heads": numbers("softmax", 1, "axis", 1),
    "no-local-values": rewire("add", 8, "y", "reshape", 7),
    "heads-merged-wrong": skip("softmax", 2),
    # Norms and activations
    "epsilon": numbers("layer_norm", 0, "epsilon", 1e-3),
    "epsilon-of-the-last": numbers("layer_norm", 2, "epsilon", 1e-4),
    "gelu-approximation": text("gelu", 0, "mode", "TANH_APPROXIMATION"),
    "late-gelu-approximation": text("gelu", 8, "mode", "TANH_APPROXIMATION"),
    "sigmoid-approximation": text("gelu", 4, "mode", "SIGMOID_APPROXIMATION"),
    "relu-for-silu": replace("silu", 0, "relu"),
    "hardswish-slope": numbers("sigmoid_hard", 0, "alpha", 0.2),
    "no-activation": skip("gelu", 2),
    # Residuals, shapes, heads
    "other-residual": rewire("add", 10, "x", "add", 6),
    "pooling-minus-nothing": replace("sub", 0, "add"),
    "subtracted-the-other-way": swap_inputs("sub", 1, "x", "y"),
    "head-twice": rewire("add", 16, "y", "linear", 4),
    "sum-of-heads": numbers("mul", 8, "y", 1.0),
}
"""Each changes what is computed."""


def mutated(package: Path, folder: Path, mutant: Mutant) -> tuple[Package, str]:
    copy = folder / package.name
    shutil.copytree(package, copy)
    patient = Patient(copy)
    name = mutant(patient)
    patient.write()
    return read_package(copy), name


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 40


@pytest.mark.parametrize("name", MUTANTS)
def test_fault_is_found_where_it_is(made: Small, tmp_path: Path, name: str) -> None:
    package, op = mutated(made.package.path, tmp_path, MUTANTS[name])
    report = verify(package, made.reference, images=2)
    assert not report.agrees
    (departure,) = report.departures
    assert departure.path == made.package.ids()[op]
    assert report.proves == ()
