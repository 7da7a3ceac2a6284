"""Faults in efspec's own packages, in half precision: each is found, and its op is named."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from efspec.coreml.options import PackageOptions
from efspec.coreml.package import pack
from efspec.errors import EfspecError
from efspec.pytorch.build import deployed
from efspec.pytorch.threads import one_thread
from efspec.verify import Package, Reference, module_reference, read_package, verify
from tests.verify.mutants import Mutant, Patient, flip, negate, numbers, reverse, swap_inputs, text
from tests.verify.networks import small, weights
from tests.verify.test_sabotage import mutated


def mutants(counts: Counter[str]) -> dict[str, Mutant]:
    """A fault for every weight and bias, and for every product, pool and activation."""
    found: dict[str, Mutant] = {}
    for kind, arguments in (("conv", ("weight", "bias")), ("linear", ("weight", "bias")),
                            ("layer_norm", ("gamma", "beta"))):  # fmt: skip
        for number in range(counts[kind]):
            for argument in arguments:
                found[f"{kind} {number} {argument}"] = flip(kind, number, argument)
    for number in range(counts["avg_pool"]):
        found[f"avg_pool {number}"] = negate("avg_pool", number, "exclude_padding_from_average")
    for number in range(counts["matmul"]):
        found[f"matmul {number}"] = swap_inputs("matmul", number, "x", "y")
    for number in range(counts["gelu"]):
        found[f"gelu {number}"] = text("gelu", number, "mode", "TANH_APPROXIMATION")
    found["softmax"] = numbers("softmax", 0, "axis", -2)
    found["heads"] = reverse("conv", 0, "weight")
    found["upsample"] = negate("upsample_bilinear", 0, "align_corners")
    return found


def test_every_fault_is_found_where_it_is(tmp_path: Path) -> None:
    plan = small()
    state = weights(plan)
    lean, arrays = deployed(plan, state)
    for name, options in (("half", PackageOptions()), ("twin", PackageOptions(precision="fp32"))):
        pack(lean, arrays, options).write(tmp_path / f"{name}.mlpackage")
    twin = read_package(tmp_path / "twin.mlpackage")
    whole = read_package(tmp_path / "half.mlpackage")
    reference = module_reference(plan, state, deployed=True)
    assert verify(whole, reference, twin=twin, images=1).agrees
    faults = mutants(Counter(op.type for op in Patient(whole.path).ops))
    assert len(faults) >= 80
    for number, (name, fault) in enumerate(faults.items()):
        package, op = mutated(whole.path, tmp_path / str(number), fault)
        found = departures(package, reference, twin)
        assert any(where in (whole.ids()[op], op) for where in found), (name, found)


def departures(package: Package, reference: Reference, twin: Package) -> list[str]:
    """Ids of the ops that depart, or names of those whose shapes the program itself contradicts."""
    try:
        with one_thread():
            report = verify(package, reference, twin=twin, images=1)
    except EfspecError as error:
        return re.findall(r"error\[damaged-package\]: (\w+): ", str(error))
    return [] if report.agrees or report.proves else [report.departures[0].path]
