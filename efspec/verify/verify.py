"""Verifying a Core ML package: all that is looked at, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from efspec.errors import EfspecError
from efspec.verify import device
from efspec.verify.bisect import Departure, first_departure
from efspec.verify.checks import (
    CORE_ML,
    PACKAGE,
    TWIN,
    Trial,
    check_package_shapes,
    compared,
    computed,
    metadata_checks,
)
from efspec.verify.compare import (
    DEVICE_TOLERANCE,
    FP16_TOLERANCE,
    FP32_TOLERANCE,
    FP64_TOLERANCE,
    Check,
    State,
)
from efspec.verify.images import random_images
from efspec.verify.package import Package, damaged
from efspec.verify.reference import Reference
from efspec.verify.report import UNPROVED, Report
from efspec.verify.run import Precision, check_known
from efspec.verify.twin import Kinship, kinship
from efspec.verify.values import DamagedError

Step = Callable[[str], None]

ROUNDING = 4.0
"""How many times the reference's own rounding a package may be off: it rounds its weights again,
and sums in another order."""
IMAGES = 4
"""How many batches of images are compared on, by default."""
STEPS = 4
"""How many steps it takes to verify a package or a file."""
KINSHIP = "same as its twin"


def verify(
    package: Package,
    reference: Reference,
    *,
    twin: Package | None = None,
    images: int = IMAGES,
    seed: int = 0,
    tolerance: float | None = None,
    step: Step = lambda description: None,
) -> Report:
    """Whether a Core ML package encodes a network.

    Args:
        package: The package.
        reference: What is right.
        twin: The same package in single precision and not compressed, if there is one: then a
            package in half precision is held to it, bit by bit.
        images: How many batches of random images to compare on.
        seed: Seed of the images.
        tolerance: Largest relative error of the package's outputs; by default 1e-5 in single
            precision, 3e-2 if it is of half precision, and none if its weights are packed.
        step: Called at the start of each of `STEPS` steps with what it does.

    Raises:
        EfspecError: When the package takes or gives other shapes than the reference, contradicts
            itself, or does what efspec cannot run.
    """
    try:
        for one in (package, twin):
            if one is not None:
                check_known(one.program)
                check_package_shapes(one, reference)
        givers = [one for one in (package, reference.package, twin) if one is not None]
        normal = reference.normal if any(one.image for one in givers) else None
        shape = package.program.inputs[0].shape
        tried = Trial(reference, random_images(shape, images, normal, seed))
        step("running what it is compared with")
        _ = tried.expected  # shown as a step of its own
        return _report(package, twin, tried, tolerance, step)
    except DamagedError as error:
        raise damaged(package.path, str(error)) from error
    except EfspecError as error:
        file = str(package.path)
        raise EfspecError(d.replaced(file=d.file or file) for d in error.diagnostics) from error


def _report(
    package: Package, twin: Package | None, tried: Trial, tolerance: float | None, step: Step
) -> Report:
    checks = list(metadata_checks(package, tried.reference))
    step("comparing with its twin")
    kin = None if twin is None else kinship(package, twin)
    if twin is not None and kin is not None:
        checks.append(_kinship_check(kin))
        checks += _exact_checks(TWIN, twin, tried)
        checks += computed(TWIN, twin, "fp32", tried, _own(FP32_TOLERANCE, tried))
    step("running the package")
    if not package.program.is_half and not package.program.packings:
        checks += _exact_checks(PACKAGE, package, tried)
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    for precision in precisions:
        bound = _bound(package, precision, tolerance, tried)
        checks += computed(PACKAGE, package, precision, tried, bound)
    checks += _device_checks(package, tried)

    step("looking for the op that departs")
    departures, remarks = _departures(package, twin, kin, tried, checks)
    failed = any(check.state == "failed" for check in checks)
    ops = Counter(op.kind for op in package.program.operations)
    return Report(
        file=str(package.path),
        format="mlpackage",
        ops=tuple(ops.most_common()),
        against=tried.reference.name,
        checks=tuple(checks),
        departures=departures,
        remarks=remarks,
        proves=() if failed else _proofs(package, tried.reference, checks),
        unproved=UNPROVED,
    )


def _kinship_check(kin: Kinship) -> Check:
    state: State = "failed" if kin.departures else "reported" if kin.unproved else "passed"
    return Check(name=KINSHIP, state=state, message=kin.told())


def _exact_checks(name: str, package: Package, tried: Trial) -> list[Check]:
    """In double precision only what is stored differs, and faults show that rounding hides."""
    if tried.exact is None:
        return []
    return computed(name, package, "fp64", tried, _own(FP64_TOLERANCE, tried))


def _own(tolerance: float, tried: Trial) -> float:
    """A tolerance, or more where the reference's own rounding is."""
    return max(tolerance, ROUNDING * tried.rounding)


def _bound(
    package: Package, precision: Precision, tolerance: float | None, tried: Trial
) -> float | None:
    """The largest relative error of a package's outputs, if there is one."""
    is_half = package.program.is_half
    if not is_half and precision == "fp16":
        return None  # nobody said that it is to be computed so
    if tolerance is not None or package.program.packings:
        return tolerance
    return FP16_TOLERANCE if is_half else _own(FP32_TOLERANCE, tried)


def _device_checks(package: Package, tried: Trial) -> list[Check]:
    """What Core ML itself computes, where there is one."""
    if not device.is_available():
        return []
    bound = None if package.program.packings else DEVICE_TOLERANCE
    return [
        check
        for unit, found in device.predictions(package, tried.batches)
        for check in compared(CORE_ML, package, unit, found, tried.expected, tried.reference, bound)
    ]


def _departures(
    package: Package,
    twin: Package | None,
    kin: Kinship | None,
    tried: Trial,
    checks: Sequence[Check],
) -> tuple[tuple[Departure, ...], tuple[str, ...]]:
    """Where the package departs, and remarks."""
    remarks: tuple[str, ...] = ()
    if kin is not None and kin.unproved:
        remarks = (f"{len(kin.unproved):,} packed weights have no one right packing",)
    if kin is not None and kin.departures:
        return kin.departures, remarks
    failed = {check.name for check in checks if check.state == "failed"}
    if not failed & {PACKAGE, TWIN}:
        return (), remarks
    suspect = twin if twin is not None and TWIN in failed else package
    departure, reason = first_departure(suspect, tried.reference, tried.batches[0])
    if departure is None:
        return (), (*remarks, f"no op is named: {reason}")
    return (departure,), remarks


def _proofs(package: Package, reference: Reference, checks: Sequence[Check]) -> tuple[str, ...]:
    """What follows from checks of which none failed."""
    if any(check.name == KINSHIP and check.state == "passed" for check in checks):
        packed = "packed as well as their codes allow" if package.program.packings else ""
        return (
            f"its twin computes what {reference.name} does, in single precision",
            f"it encodes the same network: the twin's ops, on its weights, {packed or 'rounded'}",
        )
    if package.program.packings:
        return ()
    if package.program.is_half:
        return (
            f"it computes about what {reference.name} does; a fault below the tolerance goes "
            "unseen, and a twin in single precision would show it",
        )
    return (f"it encodes {reference.name}, whose outputs it gives in single precision",)
