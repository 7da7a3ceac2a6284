"""A small network with every kind of block, and packages that coremltools makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from efspec.plan import Plan
from efspec.verify import Package, Reference, module_reference
from tests.verify.networks import State, module, small, weights
from tests.verify.packages import convert, named


class Small(NamedTuple):
    """The network, and its packages in single precision, which is named, and in half."""

    plan: Plan
    state: State
    reference: Reference
    package: Package
    half: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("small")
    plan = small()
    state = weights(plan)
    shape = (1, *plan.input)
    single = convert(module(plan, state), shape, folder, "single")
    half = convert(module(plan, state), shape, folder, "half", half=True)
    return Small(plan, state, module_reference(plan, state), named(single, plan, state), half)
