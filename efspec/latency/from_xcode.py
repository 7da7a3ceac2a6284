"""Performance reports of Xcode: the `report.json` in a `.mlperf` folder, as Xcode 16 writes it.

Apple does not document the format. What is read here is what public readers of it agree on: the
device, the compute units as Core ML numbers them, samples in seconds, and the model's structure
with a share and a unit for each op, which not every report has.
"""

from __future__ import annotations

from collections.abc import Iterator

from efspec.latency.profile import (
    Prediction,
    Profile,
    ProfiledOp,
    checked,
    nanoseconds,
    prediction_of,
    unit_of,
)
from efspec.latency.values import Given

RESULTS = "deviceResults"
COMPUTE_UNITS = {0: "cpu", 1: "gpu", 2: "all", 3: "ane"}
"""Core ML's numbers: the CPU only, and the GPU, all, and the Neural Engine."""
MS_PER_S = 1000


def is_report(root: Given) -> bool:
    """Whether a document is a report."""
    return isinstance(root.get(RESULTS).value, dict)


def report_profile(root: Given) -> Profile:
    """The profile in a report.

    Raises:
        EfspecError: When something in it is wrong.
    """
    results = root.get(RESULTS)
    load, compiling = (_seconds(results.get(what)) for what in ("load", "compile"))
    return Profile(
        file=root.source.name,
        format="report of Xcode's",
        prediction=_seconds(results.get("predict")),
        ops=checked(_ops(results), root.source),
        load_ns=load.p50_ns if load else None,
        compile_ns=compiling.p50_ns if compiling else None,
        said={name: text for name, text in _said(root) if text},
    )


def _said(root: Given) -> Iterator[tuple[str, str]]:
    info = root.get("deviceInfo")
    # `displayName` is what its owner calls it.
    yield "device", info.get("modelName").text()
    yield "os", info.get("osNameAndVersionWithoutBuildNumber").text()
    yield "runtime", "Core ML"
    yield "tool", "Xcode"
    number = root.get("computeUnit").number()
    yield "unit", COMPUTE_UNITS.get(int(number), "") if number is not None else ""


def _seconds(what: Given) -> Prediction | None:
    samples = [
        float(nanoseconds((one.number() or 0.0) * MS_PER_S, one.place(), one.field))
        for one in what.get("samples").items()
    ]
    return prediction_of(samples) if samples else None


def _ops(results: Given) -> Iterator[ProfiledOp]:
    for _, function in results.get("modelStructure", "program", "_0", "functions").fields():
        for op in function.get("block", "operations").items():
            weight = op.get("cost", "weight").number() or 0.0
            first = next(op.get("outputs").items(), None)
            name = first.get("name").text() if first else ""
            kinds = op.get("deviceUsage", "preferred", "deviceType").value
            unit = next(iter(kinds), "") if isinstance(kinds, dict) else kinds
            yield ProfiledOp(name, weight, unit_of(unit) if isinstance(unit, str) else "")
