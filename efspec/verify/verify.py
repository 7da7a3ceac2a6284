"""Verifying a package: all that is looked at, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from efspec.errors import EfspecError, fail
from efspec.plan.module import Plan
from efspec.verify import device
from efspec.verify.bisect import Departure, first_departure
from efspec.verify.compare import (
    DEVICE_TOLERANCE,
    FP16_TOLERANCE,
    FP32_TOLERANCE,
    Check,
    State,
    figures,
    state_of,
)
from efspec.verify.images import Images, random_images
from efspec.verify.onnx import OnnxFile, OnnxRunner, departure
from efspec.verify.package import HASH_KEY, Package, damaged
from efspec.verify.reference import Reference, gives_probabilities, output_shape
from efspec.verify.report import UNPROVED, UNPROVED_ONNX, Report
from efspec.verify.run import Precision, Runner, check_known, numeric_outputs
from efspec.verify.twin import kinship
from efspec.verify.values import DamagedError

Step = Callable[[str], None]
Outputs = list[tuple[Tensor, ...]]

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
"""What a package is run in."""
TWIN = "same as its twin"
IMAGES = 4
"""How many images are compared on, by default."""


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
        tolerance: Largest relative error of the outputs; by default 1e-5 in single precision, and
            for packages of half precision 3e-2. What is packed has none.
        step: Called at the start of each of `STEPS` steps with what it does.

    Raises:
        EfspecError: When the package takes or gives other shapes than the reference, contradicts
            itself, or does what efspec cannot run.
    """
    try:
        return _verify(package, reference, twin, images, seed, tolerance, step)
    except DamagedError as error:
        raise damaged(package.path, str(error)) from error
    except EfspecError as error:
        file = str(package.path)
        raise EfspecError(d.replaced(file=d.file or file) for d in error.diagnostics) from error


STEPS = 4
"""How many steps it takes to verify a package."""


def _verify(
    package: Package,
    reference: Reference,
    twin: Package | None,
    count: int,
    seed: int,
    tolerance: float | None,
    step: Step,
) -> Report:
    program = package.program
    for one in (package, twin):
        if one is not None:
            check_known(one.program)
            check_shapes(one, reference)
    step("running what it is compared with")
    takes_pixels = any(one.image for one in (package, reference.package, twin) if one is not None)
    normal = reference.normal if takes_pixels else None
    shape = program.inputs[0].shape
    batches = random_images(shape, count, normal, seed)
    expected = [reference.outputs(batch) for batch in batches]

    checks: list[Check] = [*_metadata_checks(package, reference)]
    departures: list[Departure] = []
    remarks: list[str] = []
    proves: list[str] = []
    if twin is not None:
        step("comparing with its twin")
        kin = kinship(package, twin)
        departures += kin.departures
        state: State = "failed" if kin.departures else "reported" if kin.unproved else "passed"
        checks.append(Check(name=TWIN, state=state, message=kin.told()))
        if kin.unproved:
            remarks.append(f"{len(kin.unproved)} packed weights have no one right packing")
        found = _run(twin, "fp32", batches)
        checks += _compared("twin", twin, "fp32", found, expected, reference, FP32_TOLERANCE)
    step("running the package")
    for precision in PRECISIONS:
        bound = _bound(package, precision, tolerance)
        found = _run(package, precision, batches)
        checks += _compared("package", package, precision, found, expected, reference, bound)
    if device.is_available():
        bound = None if program.packings else DEVICE_TOLERANCE
        for unit, found in device.predictions(package, batches):
            checks += _compared("Core ML", package, unit, found, expected, reference, bound)

    step("looking for the op that departs")
    if any(check.state == "failed" for check in checks) and not departures:
        wrong, reason = first_departure(package, reference, batches[0])
        departures += [wrong] if wrong else []
        remarks += [] if wrong else [f"no op is named: {reason}"]
    if all(check.state != "failed" for check in checks):
        proves = _proofs(package, reference, checks)
    return Report(
        file=str(package.path),
        format="mlpackage",
        ops=_by_frequency(Counter(op.kind for op in program.operations)),
        against=reference.name,
        checks=tuple(checks),
        departures=tuple(departures),
        remarks=tuple(remarks),
        proves=tuple(proves),
        unproved=UNPROVED,
    )


def verify_onnx(
    file: OnnxFile,
    reference: Reference,
    *,
    images: int = IMAGES,
    seed: int = 0,
    tolerance: float | None = None,
    step: Step = lambda description: None,
) -> Report:
    """Whether an ONNX file encodes a network, as onnxruntime runs it on the CPU.

    Args:
        file: The file.
        reference: What is right.
        images: How many batches of random images to compare on.
        seed: Seed of the images.
        tolerance: Largest relative error of the outputs; 1e-5 by default.
        step: As `verify` takes it.

    Raises:
        EfspecError: When the file takes or gives other shapes than the reference, or onnxruntime
            refuses it.
    """
    _check_shapes(str(file.path), file.input[1][1:], file.shapes, reference)
    step("running what it is compared with")
    batches = random_images(file.input[1], images, None, seed)
    expected = [reference.outputs(batch) for batch in batches]
    step("loading it into onnxruntime")
    runner = OnnxRunner(file)
    step("running the file")
    found = [runner.run(batch.normal) for batch in batches]
    bound = FP32_TOLERANCE if tolerance is None else tolerance
    checks = _checks("file", "fp32", file.outputs, found, expected, bound)
    step("looking for the op that departs")
    departures: tuple[Departure, ...] = ()
    remarks: tuple[str, ...] = ()
    if failed := any(check.state == "failed" for check in checks):
        wrong, reason = None, "there is no plan to compare its nodes with"
        if reference.trace is not None:
            wrong, reason = departure(file, reference.trace(batches[0]), batches[0])
        departures, remarks = ((wrong,), ()) if wrong else ((), (f"no op is named: {reason}",))
    return Report(
        file=str(file.path),
        format="onnx",
        ops=_by_frequency(file.kinds),
        against=reference.name,
        checks=tuple(checks),
        departures=departures,
        remarks=remarks,
        proves=() if failed else (f"onnxruntime computes {reference.name} of it, on this CPU",),
        unproved=UNPROVED_ONNX,
    )


def check_shapes(package: Package, reference: Reference) -> None:
    """Refuse a package of a network of another shape.

    Raises:
        EfspecError: When its input or its outputs have other shapes.
    """
    program = package.program
    shapes = tuple(output_shape(package, name) for name in numeric_outputs(program))
    _check_shapes(str(package.path), program.inputs[0].shape[1:], shapes, reference)


def _check_shapes(
    file: str,
    source: tuple[int, ...],
    outputs: tuple[tuple[int, ...], ...],
    reference: Reference,
) -> None:
    pairs = (("takes", (source,), (reference.input,)), ("gives", outputs, reference.shapes))
    for verb, found, expected in pairs:
        if found != expected:
            raise fail(
                "other-network",
                f"it {verb} {_listed(found)}, and {reference.name} {_listed(expected)}",
                file=file,
                fix="compare it with the network that it was made from",
            )


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _bound(package: Package, precision: Precision, tolerance: float | None) -> float | None:
    """The largest relative error of a package's outputs."""
    program = package.program
    if tolerance is not None and (program.is_half or precision == "fp32"):
        return tolerance
    if program.packings:
        return None
    if program.is_half:
        return FP16_TOLERANCE
    return FP32_TOLERANCE if precision == "fp32" else None  # no one said half precision


def _run(package: Package, precision: Precision, batches: Sequence[Images]) -> Outputs:
    runner = Runner(package.program, precision)
    with torch.inference_mode():
        return [runner.run(batch.taken(package.image)) for batch in batches]


def _compared(
    name: str,
    package: Package,
    precision: str,
    found: Outputs,
    expected: Outputs,
    reference: Reference,
    tolerance: float | None,
) -> list[Check]:
    """A check per output. Where one side gives probabilities, so does the other."""
    outputs = numeric_outputs(package.program)
    mine, theirs = gives_probabilities(package), reference.gives_probabilities
    found = _probabilities(found) if theirs and not mine else found
    expected = _probabilities(expected) if mine and not theirs else expected
    return _checks(name, precision, outputs, found, expected, tolerance)


def _probabilities(logits: Outputs) -> Outputs:
    return [tuple(y.double().softmax(-1) for y in batch) for batch in logits]


def _checks(
    name: str,
    precision: str,
    outputs: Sequence[str],
    found: Outputs,
    expected: Outputs,
    tolerance: float | None,
) -> list[Check]:
    checks = []
    for index, output in enumerate(outputs):
        far = figures([batch[index] for batch in found], [batch[index] for batch in expected])
        checks.append(
            Check(
                name=name,
                state=state_of(far, tolerance),
                precision=precision,
                output=output,
                figures=far,
                tolerance=tolerance,
            )
        )
    return checks


def _metadata_checks(package: Package, reference: Reference) -> Iterator[Check]:
    """Whether the names in a package of efspec's, and the spec that it carries, are right."""
    plan: Plan | None = reference.plan
    said = package.metadata.get(HASH_KEY)
    if plan is not None and said is not None:
        state: State = "passed" if said == plan.hash else "failed"
        message = "" if said == plan.hash else f"its spec is {said[:12]}, not {plan.hash[:12]}"
        yield Check(name="made from this spec", state=state, message=message)
    ids = package.ids()
    if not ids:
        return
    made = {
        one.name: op for op in package.program.operations if op.kind != "cast" for one in op.outputs
    }
    single = {op.label for op in made.values() if len(op.outputs) == 1}
    wrong = [name for name in made if name not in ids] + sorted(single - made.keys())
    wrong += [name for name in ids if name not in made]
    known = {placed.id for placed in plan.ops()} if plan is not None else set(ids.values())
    wrong += [name for name in ids if ids[name] not in known]
    listed = ", ".join(dict.fromkeys(wrong[:3]))
    message = f"wrong: {listed}" if wrong else f"{len(ids):,} names"
    yield Check(name="named after the plan", state="failed" if wrong else "passed", message=message)


def _proofs(package: Package, reference: Reference, checks: Sequence[Check]) -> list[str]:
    """What follows from checks of which none failed."""
    if any(check.name == TWIN and check.state == "passed" for check in checks):
        packed = "packed as well as their codes allow" if package.program.packings else ""
        return [
            f"its twin computes what {reference.name} does, in single precision",
            f"it encodes the same network: the twin's ops, on its weights, {packed or 'rounded'}",
        ]
    if any(check.state == "reported" and check.precision == "fp32" for check in checks):
        return []
    if package.program.is_half:
        return [
            f"it computes about what {reference.name} does; a fault below the tolerance goes "
            "unseen, and a twin in single precision would show it"
        ]
    return [f"it encodes {reference.name}, whose outputs it gives in single precision"]


def _by_frequency(kinds: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(kinds.most_common())
