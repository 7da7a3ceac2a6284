"""How a network is loaded, by the names that its files really have."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

from efspec.codegen import class_name
from efspec.plan import Plan
from efspec.plan.names import INPUT


class Taken(Protocol):
    """What a Core ML package takes and gives; see `efspec.card.Interface`."""

    @property
    def file(self) -> str:
        """Name of the package."""

    @property
    def precision(self) -> str:
        """`fp16` or `fp32`."""

    @property
    def image(self) -> bool:
        """Whether it takes an image."""

    @property
    def labels(self) -> bool:
        """Whether it gives a label."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its outputs."""


def pytorch(plan: Plan, code: str | None, weights: str | None) -> str:
    """Python that loads a network, from its files if they are there, else by efspec."""
    shape = ", ".join(map(str, (1, *plan.input)))
    run = f"output = network(torch.randn({shape}))"
    if not code or not weights:
        load = f'network = efspec.build("{plan.name}.yaml").eval()'
        return f"import efspec\nimport torch\n\n{load}\n{run}\n"
    module, name = PurePosixPath(code).stem, class_name(plan.name)
    return "\n".join(
        (
            "import torch",
            "from safetensors.torch import load_file",
            "",
            f"from {module} import {name}",
            "",
            f"network = {name}()",
            f'network.load_state_dict(load_file("{weights}"))',
            "network.eval()",
            run,
            "",
        )
    )


def swift(plan: Plan, package: Taken) -> str:
    """Swift that runs a Core ML package."""
    stem = PurePosixPath(package.file).stem
    _, height, width = plan.input
    lines = ["import CoreML", ""]
    lines += [
        f'let url = Bundle.main.url(forResource: "{stem}", withExtension: "mlmodelc")!',
        "let model = try MLModel(contentsOf: url)",
    ]
    if package.image:
        lines += [
            f"// pixelBuffer: a CVPixelBuffer of {width} x {height} pixels, 32BGRA",
            "let image = MLFeatureValue(pixelBuffer: pixelBuffer)",
        ]
    else:
        shape = ", ".join(map(str, (1, *plan.input)))
        number = "float16" if package.precision == "fp16" else "float32"
        lines += [
            f"let array = try MLMultiArray(shape: [{shape}], dataType: .{number})",
            "// fill the array with normalised pixels, channel by channel",
            "let image = MLFeatureValue(multiArray: array)",
        ]
    lines += [
        f'let input = try MLDictionaryFeatureProvider(dictionary: ["{INPUT}": image])',
        "let output = try model.prediction(from: input)",
    ]
    if package.labels:
        label, probabilities = package.outputs
        lines += [
            f'let label = output.featureValue(for: "{label}")!.stringValue',
            f'let probabilities = output.featureValue(for: "{probabilities}")!.dictionaryValue',
        ]
    else:
        lines += [
            f'let {_camel(name)} = output.featureValue(for: "{name}")!.multiArrayValue!'
            for name in package.outputs
        ]
    return "\n".join(lines) + "\n"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
