"""Verifying an ONNX file: all that is looked at, in order."""

from __future__ import annotations

from typing import Any

from efspec.verify.bisect import Departure
from efspec.verify.checks import check_shapes, output_checks
from efspec.verify.compare import FP32_TOLERANCE, Check, State
from efspec.verify.images import random_images
from efspec.verify.onnx import OnnxFile, OnnxRunner, departure, differences
from efspec.verify.reference import Reference
from efspec.verify.report import UNPROVED_ONNX, Report
from efspec.verify.verify import IMAGES, Step


def verify_onnx(
    file: OnnxFile,
    reference: Reference,
    *,
    twin: Any = None,
    images: int = IMAGES,
    seed: int = 0,
    tolerance: float | None = None,
    step: Step = lambda description: None,
) -> Report:
    """Whether an ONNX file encodes a network, as onnxruntime runs it on the CPU.

    Args:
        file: The file.
        reference: What is right.
        twin: What efspec writes of the network, as a protobuf message, if the file is one of
            efspec's: then it is held to that, bit by bit.
        images: How many batches of random images to compare on.
        seed: Seed of the images.
        tolerance: Largest relative error of the outputs; 1e-5 by default.
        step: Called at the start of each of `STEPS` steps with what it does.

    Raises:
        EfspecError: When the file takes or gives other shapes than the reference, or onnxruntime
            refuses it.
    """
    check_shapes(str(file.path), file.input[1][1:], file.shapes, reference)
    step("running what it is compared with")
    batches = random_images(file.input[1], images, None, seed)
    expected = [reference.outputs(batch) for batch in batches]
    step("loading it into onnxruntime")
    runner = OnnxRunner(file)
    step("running the file")
    found = [runner.run(batch.normal) for batch in batches]
    bound = FP32_TOLERANCE if tolerance is None else tolerance
    checks = output_checks("file", "fp32", file.outputs, found, expected, bound)

    step("looking for the op that departs")
    departures: tuple[Departure, ...] = ()
    remarks: tuple[str, ...] = ()
    if twin is not None:
        departures = differences(file, twin)
        message = f"not those that efspec writes: {departures[0].path}" if departures else ""
        state: State = "failed" if departures else "passed"
        checks.append(Check(name="nodes and tensors", state=state, message=message))
    failed = any(check.state == "failed" for check in checks)
    if failed and not departures:
        wrong, reason = None, "there is no plan to compare its nodes with"
        if reference.trace is not None:
            wrong, reason = departure(file, reference.trace(batches[0]), batches[0])
        departures, remarks = ((wrong,), ()) if wrong else ((), (f"no op is named: {reason}",))
    return Report(
        file=str(file.path),
        format="onnx",
        ops=tuple(file.kinds.most_common()),
        against=reference.name,
        checks=tuple(checks),
        departures=departures,
        remarks=remarks,
        proves=() if failed else (f"onnxruntime computes {reference.name} of it, on this CPU",),
        unproved=UNPROVED_ONNX,
    )
