"""A package is held to its twin bit by bit: what half precision hides shows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from efspec.verify import Package, Report, read_package, verify
from tests.verify.conftest import Small
from tests.verify.mutants import (
    Mutant,
    Patient,
    flip,
    negate,
    nudge,
    numbers,
    replace,
    reverse,
    skip,
    swap_inputs,
    text,
)
from tests.verify.networks import module
from tests.verify.packages import WEIGHTS, compress, convert, unpacked

TINY: dict[str, Mutant] = {
    "bit-of-weight": nudge("conv", 0, "weight"),
    "bit-of-last-weight": nudge("linear", 5, "weight"),
    "bit-of-bias": nudge("conv", 12, "bias"),
    "bit-of-attention-bias": nudge("add", 4, "y"),
    "epsilon": numbers("layer_norm", 1, "epsilon", 2e-5),
    "gelu": text("gelu", 6, "mode", "TANH_APPROXIMATION"),
    "pooling-border": negate("avg_pool", 2, "exclude_padding_from_average"),
    "order": swap_inputs("matmul", 2, "x", "y"),
    "heads": reverse("add", 13, "y"),
    "other-op": replace("silu", 0, "relu6"),
    "op-left-out": skip("gelu", 3),
}
"""Faults of which most are too small to be seen in half precision."""

PACKINGS = {
    "int8": ("constexpr_affine_dequantize", 16),
    "pal8": ("constexpr_lut_to_dense", 16),
    "pal6": ("constexpr_lut_to_dense", 16),
    "pal4": ("constexpr_lut_to_dense", 16),
    "int4": ("constexpr_blockwise_shift_scale", 18),
}
DAMAGE = {"int8": 0.05, "pal8": 0.05, "pal6": 0.3, "pal4": 0.6, "int4": 0.6}
"""Largest relative error of the outputs, for weights that are normally distributed."""


def mutated(package: Path, folder: Path, mutant: Mutant) -> tuple[Package, str]:
    copy = folder / "mutant.mlpackage"
    shutil.copytree(package, copy)
    patient = Patient(copy)
    name = mutant(patient)
    patient.write()
    return read_package(copy), name


def error_of(report: Report) -> float:
    (check,) = (c for c in report.checks if (c.name, c.precision) == ("package", "fp32"))
    assert check.figures is not None
    return check.figures.relative


@pytest.mark.parametrize("name", TINY)
def test_fault_in_half_precision_is_named(made: Small, tmp_path: Path, name: str) -> None:
    package, op = mutated(made.half, tmp_path, TINY[name])
    report = verify(package, made.reference, twin=made.package, images=1)
    assert not report.agrees
    assert report.departures[0].op == op or name == "op-left-out"
    if name.startswith("bit"):
        alone = verify(package, made.reference, images=1)
        assert alone.agrees
        assert "a twin" in alone.proves[0]


def test_left_out_op_is_where_the_sequences_part(made: Small, tmp_path: Path) -> None:
    package, op = mutated(made.half, tmp_path, TINY["op-left-out"])
    (departure,) = verify(package, made.reference, twin=made.package, images=1).departures
    assert departure.op == op
    assert departure.message == "`conv` where the twin has `gelu`"


def test_twin_of_another_network_is_caught(made: Small, tmp_path: Path) -> None:
    twin, _ = mutated(made.package.path, tmp_path, flip("conv", 0, "weight"))
    report = verify(read_package(made.half), made.reference, twin=twin, images=1)
    failed = {check.name for check in report.checks if check.state == "failed"}
    assert failed == {"same as its twin", "twin"}


@pytest.mark.parametrize("how", PACKINGS)
def test_packed_weights_are_understood(made: Small, tmp_path: Path, how: str) -> None:
    kind, ios = PACKINGS[how]
    half = made.half if ios == 16 else in_half(made, tmp_path, ios)
    path = compress(half, how, tmp_path / "packed.mlpackage")
    package = read_package(path)
    assert package.program.packings == (kind,)
    theirs = unpacked(path)
    constants = [c for op in package.program.operations for _, c in op.constants()]
    mine = {c.name: c.array for c in constants if c.packing}
    assert theirs.keys() == mine.keys()
    for name, array in theirs.items():
        assert np.array_equal(mine[name], array)

    report = verify(package, made.reference, twin=made.package, images=1)
    assert report.agrees
    assert "packed as well as their codes allow" in report.proves[1]
    assert 0 < error_of(report) < DAMAGE[how]
    alone = verify(package, made.reference, images=1)
    assert {check.state for check in alone.checks} == {"reported"}
    assert alone.proves == ()
    assert not verify(package, made.reference, images=1, tolerance=1e-4).agrees


@pytest.mark.parametrize(("how", "argument"), [("int8", "quantized_data"), ("pal4", "indices")])
def test_code_of_a_packed_weight_is_proved(
    made: Small, tmp_path: Path, how: str, argument: str
) -> None:
    path = compress(made.half, how, tmp_path / "packed.mlpackage")
    patient = Patient(path)
    packed = next(op for op in patient.ops if op.type.startswith("constexpr_"))
    start, _ = patient.blob(packed.attributes[argument])
    data = bytearray((path / WEIGHTS).read_bytes())
    data[start] ^= 0b0100
    (path / WEIGHTS).write_bytes(data)
    (departure,) = verify(read_package(path), made.reference, twin=made.package).departures
    first = next(op for op in read_package(path).program.operations if op.kind == "conv")
    assert departure.op == first.name
    assert departure.message == "`weight` is not the twin's"


def in_half(made: Small, folder: Path, ios: int) -> Path:
    shape = (1, *made.plan.input)
    return convert(module(made.plan, made.state), shape, folder, "other", half=True, ios=ios)
