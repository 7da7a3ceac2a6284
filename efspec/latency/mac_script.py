"""Profile a Core ML package on this Mac: how long it takes, and how its ops share that.

    python profile_coreml.py NETWORK.mlpackage > NETWORK.json

It needs a Mac with macOS 14.4 or later and coremltools 8.3 or later, and nothing else. Leave the
Mac alone while it runs. Then, where efspec is: efspec latency import NETWORK.json -o TABLE.yaml
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import platform
import subprocess
import sys
from typing import Any

KIND = "coremltools"
FORMAT = 1
WARM_UPS = 20
LEAST_RUNS = 100
UNITS = {"all": "ALL", "cpu": "CPU_ONLY", "gpu": "CPU_AND_GPU", "ane": "CPU_AND_NE"}
DEVICES = {
    "MLCPUComputeDevice": "cpu",
    "MLGPUComputeDevice": "gpu",
    "MLNeuralEngineComputeDevice": "ane",
}


def main(arguments: list[str] | None = None) -> None:
    """Write the profile of the package that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", help="a .mlpackage folder")
    parser.add_argument("--units", choices=UNITS, default="all", help="what Core ML may use")
    parser.add_argument("--runs", type=int, default=200, help=f"at least {LEAST_RUNS}")
    options = parser.parse_args(arguments)
    if options.runs < LEAST_RUNS:
        parser.error(f"--runs: at least {LEAST_RUNS}")
    json.dump(profile(options.package, options.units, options.runs), sys.stdout, indent=1)
    sys.stdout.write("\n")


def profile(package: str, units: str, runs: int) -> dict[str, Any]:
    """What is found about a package."""
    import coremltools as ct

    unit = ct.ComputeUnit[UNITS[units]]
    model = ct.models.MLModel(package, compute_units=unit)
    description = model.get_spec().description
    inputs = {one.name: example(one.type) for one in description.input}
    return {
        "efspec": FORMAT,
        "profile": KIND,
        "protocol": {
            "device": device(),
            "os": f"macOS {platform.mac_ver()[0]}",
            "runtime": f"Core ML, coremltools {ct.__version__}",
            "unit": units,
            "precision": precision(description.input),
            "tool": "efspec's script for coremltools",
            "date": datetime.date.today().isoformat(),
        },
        "metadata": {
            name: text
            for name, text in description.metadata.userDefined.items()
            if name.startswith("efspec.")
        },
        "load_ns": model.load_duration_in_nano_seconds,
        "samples_ns": samples(model, inputs, runs),
        "ops": ops(model.get_compiled_model_path(), unit),
    }


def samples(model: Any, inputs: dict[str, Any], runs: int) -> list[int]:
    """How long each prediction took by Core ML's own clock; the first ones do not count."""
    found = []
    for _ in range(WARM_UPS + runs):
        model.predict(inputs)
        found.append(model.last_predict_duration_in_nano_seconds)
    return found[WARM_UPS:]


def ops(compiled: str, unit: Any) -> list[dict[str, Any]]:
    """The ops that take time, with Core ML's estimate of the share of each."""
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(compiled, compute_units=unit)
    found = []
    for op in plan.model_structure.program.functions["main"].block.operations:
        cost = plan.get_estimated_cost_for_mlprogram_operation(op)
        usage = plan.get_compute_device_usage_for_mlprogram_operation(op)
        if cost is None or not op.outputs:  # constants
            continue
        device_name = type(usage.preferred_compute_device).__name__ if usage else ""
        found.append(
            {
                "name": op.outputs[0].name,
                "kind": op.operator_name,
                "weight": cost.weight,
                "unit": DEVICES.get(device_name, device_name),
            }
        )
    return found


def example(kind: Any) -> Any:
    """An input: random numbers, or a grey image."""
    import numpy as np

    if kind.WhichOneof("Type") == "imageType":
        image = importlib.import_module("PIL.Image")  # pip install pillow: only images need it
        return image.new("RGB", (kind.imageType.width, kind.imageType.height), (127, 127, 127))
    shape = tuple(kind.multiArrayType.shape)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def precision(inputs: Any) -> str | None:
    """What the numbers of a tensor input are of; None of an image, which does not tell."""
    from coremltools.proto.FeatureTypes_pb2 import ArrayFeatureType

    names = {ArrayFeatureType.FLOAT16: "fp16", ArrayFeatureType.FLOAT32: "fp32"}
    arrays = [one.type for one in inputs if one.type.WhichOneof("Type") == "multiArrayType"]
    return names.get(arrays[0].multiArrayType.dataType) if arrays else None


def device() -> str:
    """The name of this Mac's processor."""
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or platform.machine()


if __name__ == "__main__":
    main()
