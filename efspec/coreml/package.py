"""From a program to the files of a package, the same bytes for the same network."""

from __future__ import annotations

import gc
import hashlib
import json
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from efspec.coreml.emit import LABEL, PROBABILITIES, Emitted, emit, package_outputs
from efspec.coreml.lint import Finding, lint
from efspec.coreml.options import DEFAULT, PackageOptions, check_options
from efspec.coreml.quiet import quiet
from efspec.deploy import Weights
from efspec.plan import Plan
from efspec.plan.names import INPUT
from efspec.record import Node

SUFFIX = ".mlpackage"
OPS_KEY = "efspec.ops"
SPEC_KEY = "efspec.spec"
HASH_KEY = "efspec.spec_hash"

_AUTHOR = "com.apple.CoreML"
_MODEL = f"{_AUTHOR}/model.mlmodel"
_WEIGHTS = f"{_AUTHOR}/weights"
_BLOB = f"{_WEIGHTS}/weight.bin"


class Package(Node):
    """A Core ML package that is not on disk yet.

    Attributes:
        files: Bytes of each file, by its path in the package.
        findings: What may keep it off the Neural Engine.
    """

    files: Mapping[str, bytes]
    findings: tuple[Finding, ...]

    def write(self, folder: Path) -> None:
        """Write the package as a folder, which must not be there yet.

        Raises:
            OSError: When that fails.
        """
        for name, data in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def pack(
    plan: Plan,
    weights: Weights,
    options: PackageOptions = DEFAULT,
    metadata: Mapping[str, str] | None = None,
) -> Package:
    """The package of a network: an ML program with input `image`.

    Args:
        plan: The network, as it is to be deployed.
        weights: Its tensors by their names in the state dict.
        options: What the package is to be like.
        metadata: What it is to say of where it comes from, besides the table of its ops' names.

    Raises:
        EfspecError: When the options do not go with the network.
    """
    check_options(options, plan)
    with quiet(), tempfile.TemporaryDirectory(prefix="efspec-") as name:
        folder = Path(name)
        emitted = emit(plan, weights, options)
        description = _description(plan, emitted, options, metadata or {})
        if options.compress:
            from efspec.coreml.compress import compress

            compress(emitted.program, options.compress)
        model = _exported(emitted, description, options, folder)
        del emitted
        gc.collect()  # its ops and values hold on to each other, and to all weights
        blob = _blob(folder)
    return Package(_files(model.SerializeToString(deterministic=True), blob), lint(model.mlProgram))


def _exported(emitted: Emitted, description: Any, options: PackageOptions, folder: Path) -> Any:
    """The protobuf model of a program; its large constants are written into the folder."""
    import coremltools as ct
    from coremltools.converters.mil.backend.mil.load import load

    version = getattr(ct.target, f"iOS{options.ios}")
    return load(
        emitted.program,
        str(folder),
        specification_version=version,
        model_description=description,
    )


def _blob(folder: Path) -> bytes:
    file = folder / "weight.bin"
    return file.read_bytes() if file.exists() else b""


def _description(
    plan: Plan, emitted: Emitted, options: PackageOptions, metadata: Mapping[str, str]
) -> Any:
    """What the package takes and gives, and where it comes from."""
    from coremltools.proto import FeatureTypes_pb2, Model_pb2

    array = FeatureTypes_pb2.ArrayFeatureType
    number = array.FLOAT16 if options.precision == "fp16" else array.FLOAT32
    description = Model_pb2.ModelDescription()
    taken = description.input.add(name=INPUT)
    channels, height, width = plan.input
    if options.image:
        colours = FeatureTypes_pb2.ImageFeatureType.RGB
        taken.type.imageType.CopyFrom(
            FeatureTypes_pb2.ImageFeatureType(height=height, width=width, colorSpace=colours)
        )
        taken.shortDescription = f"An RGB image of {height}x{width} pixels"
    else:
        shape = [1, *plan.input]
        taken.type.multiArrayType.CopyFrom(array(shape=shape, dataType=number))
        taken.shortDescription = f"Normalised images (1, {channels}, {height}, {width})"
    if options.labels is not None:
        label, probabilities = (description.output.add(name=n) for n in (LABEL, PROBABILITIES))
        label.type.stringType.SetInParent()
        label.shortDescription = "The most likely class"
        probabilities.type.dictionaryType.stringKeyType.SetInParent()
        probabilities.shortDescription = "The probability of each class"
        description.predictedFeatureName = label.name
        description.predictedProbabilitiesName = probabilities.name
    else:
        for name, value in zip(package_outputs(plan, options), plan.network.outputs, strict=True):
            given = description.output.add(name=name)
            shape = [1, *value.shape.plain().sizes]
            given.type.multiArrayType.CopyFrom(array(shape=shape, dataType=number))
            given.shortDescription = "Logits" if value.shape.space is None else "A map"
    description.metadata.shortDescription = plan.description or plan.name
    description.metadata.license = metadata.get("license", "")
    table = json.dumps(emitted.ids, separators=(",", ":"))
    description.metadata.userDefined.update({**metadata, OPS_KEY: table})
    return description


def _files(model: bytes, blob: bytes) -> dict[str, bytes]:
    """The files of a package, its list of them included; ids follow from what they hold."""
    items = {"model.mlmodel": (_MODEL, "CoreML Model Specification", model)}
    if blob:
        items["weights"] = (_WEIGHTS, "CoreML Model Weights", blob)
    entries, root = {}, ""
    for name, (path, what, data) in items.items():
        digest = hashlib.sha256(data).hexdigest()
        identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}#{digest}")).upper()
        entry = {"author": _AUTHOR, "description": what, "name": name, "path": path}
        entries[identifier] = entry
        root = root or identifier
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": dict(sorted(entries.items())),
        "rootModelIdentifier": root,
    }
    text = json.dumps(manifest, indent=4) + "\n"
    files = {"Manifest.json": text.encode(), f"Data/{_MODEL}": model}
    return files | ({f"Data/{_BLOB}": blob} if blob else {})
