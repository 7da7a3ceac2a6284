"""The first op of a package that departs from what is right.

Values are compared in double precision, in which only what is stored differs: weights that were
folded and rounded to single precision again are off by 1e-7, and a fault of any size shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from efspec.plan import Plan
from efspec.record import Record
from efspec.verify.compare import departs
from efspec.verify.images import Images
from efspec.verify.package import Package
from efspec.verify.program import Operation
from efspec.verify.reference import Reference, Values, part_outputs, values_of

FP32_DEPARTURE = 1e-6
"""Share of a value's largest number by which it departs: ten times what rounding weights does."""
FP16_DEPARTURE = 2e-2
"""The same where the weights are rounded to half precision, which adds up through the layers."""

Placed = tuple[Operation, tuple[Tensor, ...]]


class Departure(Record):
    """Where a package departs from what is right.

    Attributes:
        op: Name of the op in the package; empty where only a part of the plan is known.
        kind: What the op does.
        path: Id of the plan's op, or path of its part; empty where that is not known.
        message: What is wrong, in words.
    """

    op: str
    kind: str
    path: str
    message: str


def first_departure(
    package: Package, reference: Reference, images: Images
) -> tuple[Departure | None, str]:
    """The first op that gives something else, or why none can be named."""
    tolerance = FP16_DEPARTURE if package.program.is_half else FP32_DEPARTURE
    placed = values_of(package, images)
    if reference.package is not None:
        return _against_package(placed, package, reference.package, images, tolerance)
    if reference.trace is None or reference.plan is None:
        return None, "its values have no names in common with what it is compared with"
    values, ids = reference.trace(images), package.ids()
    if ids:
        return _by_id(placed, ids, values, tolerance)
    return _by_part(placed, reference.plan, values, tolerance)


def _by_id(
    placed: list[Placed], ids: dict[str, str], values: Values, tolerance: float
) -> tuple[Departure | None, str]:
    """By the package's table of ids. What has none serves the next op that has one."""
    of_id: dict[str, list[Tensor]] = {}
    last: dict[str, Operation] = {}
    for op, results in placed:
        for one, y in zip(op.outputs, results, strict=True):
            if ids.get(one.name):
                of_id.setdefault(ids[one.name], []).append(y)
                last[ids[one.name]] = op
    for identifier, found in of_id.items():
        if identifier not in values:
            op = last[identifier]
            message = "there is no such op in the plan"
            return Departure(op.name, op.kind, identifier, message), ""
        expected = values[identifier]
        # An op may take several of the package's; its results are those of the last.
        pairs = zip(found[-len(expected) :], expected, strict=False)
        if any(_differs(y, wanted, tolerance) for y, wanted in pairs):
            op = last[identifier]
            message = "the first whose values are not those of the plan's op"
            return Departure(op.name, op.kind, identifier, message), ""
    return None, "every value that has the name of an op is the op's"


def _against_package(
    placed: list[Placed], package: Package, other: Package, images: Images, tolerance: float
) -> tuple[Departure | None, str]:
    """Op by op, where both have the same ones."""
    others = values_of(other, images)
    ids = package.ids()
    mine, theirs = _computing(placed), _computing(others)
    if [op.kind for op, _ in mine] != [op.kind for op, _ in theirs]:
        return None, "the two packages have other ops, so that no two belong together"
    for (op, results), (_, wanted) in zip(mine, theirs, strict=True):
        if any(_differs(y, z, tolerance) for y, z in zip(results, wanted, strict=True)):
            path = ids.get(op.outputs[0].name, "")
            message = "the first whose values are not those of the other package's op"
            return Departure(op.name, op.kind, path, message), ""
    return None, "every op gives what the other package's does"


def _by_part(
    placed: list[Placed], plan: Plan, values: Values, tolerance: float
) -> tuple[Departure | None, str]:
    """By content: whether any op gives what each part of the plan gives, in any order of axes."""
    made = [(op, y, _signature(y)) for op, results in placed for y in results]
    before = ""
    for path, identifier in part_outputs(plan).items():
        (wanted, *_) = values[identifier]
        signature = _signature(wanted)
        same_size = ((op, s) for op, y, s in made if y.numel() == wanted.numel())
        hit = next((op for op, s in same_size if _near(s, signature, tolerance)), None)
        if hit is None:
            since = f" after `{before}`" if before else ""
            message = f"no op{since} gives what this part of the plan gives"
            return Departure("", "", path, message), ""
        before = hit.name
    return None, "some op gives what each part of the plan gives"


def _differs(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    if found.numel() != expected.numel():
        return True
    return departs(found.reshape(-1), expected.reshape(-1).to(found.dtype), tolerance)


def _computing(placed: Sequence[Placed]) -> list[Placed]:
    return [(op, results) for op, results in placed if op.kind != "cast"]


def _signature(y: Tensor) -> Tensor:
    """Figures that tell values apart, whatever the order of their numbers."""
    y = y.double().reshape(-1)
    return torch.stack([y.max(), y.min(), y.abs().mean(), y.square().mean().sqrt()])


def _near(signature: Tensor, wanted: Tensor, tolerance: float) -> bool:
    return not departs(signature, wanted, tolerance)
