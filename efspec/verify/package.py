"""Reading a Core ML package from disk, on any system.

Only the protobuf classes of coremltools are used. Its own loader of programs is internal, infers
types and folds constants on the way, and reads weights through a compiled part that Windows has
not; a program that is to be checked had better be read as it stands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from efspec.errors import EfspecError, fail
from efspec.record import Node, Record
from efspec.verify.program import CLASSIFY, Program, parse
from efspec.verify.values import DamagedError

SUFFIX = ".mlpackage"
MAX_MODEL = 256 << 20
"""Largest description of a network, in bytes; weights lie in a file of their own."""

_PROTO = "efspec.verify.coremltools_proto"
"""What the protobuf classes of coremltools are loaded as."""

OPS_KEY = "efspec.ops"
SPEC_KEY = "efspec.spec"
HASH_KEY = "efspec.spec_hash"


class Image(Record):
    """How an input takes images: as pixels from 0 to 255.

    Attributes:
        order: `RGB`, `BGR` or `GRAYSCALE`.
    """

    order: str


class Package(Node):
    """A Core ML package.

    Attributes:
        path: The package.
        program: What it computes.
        image: How its input takes images; None if it takes a tensor.
        version: Version of the format.
        metadata: What whoever made it wrote into it.
    """

    path: Path
    program: Program
    image: Image | None
    version: int
    metadata: Mapping[str, str]

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels of a classifier that gives one, in the order of its logits."""
        for op in self.program.operations:
            if op.kind == CLASSIFY:
                ((_, classes),) = op.constants()
                return tuple(map(str, classes.value))
        return None

    def ids(self) -> dict[str, str]:
        """Id of the plan's op by name of the value that it makes; empty if it has no such table."""
        try:
            table = json.loads(self.metadata.get(OPS_KEY, "{}"))
        except ValueError:
            table = None
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise damaged(self.path, f"its metadata `{OPS_KEY}` is no table of names")
        return table


def read_package(path: Path) -> Package:
    """The package in a folder.

    Raises:
        EfspecError: When there is none, it is damaged, it is of another kind than a program, or it
            does what efspec cannot read.
    """
    if not path.exists():
        raise fail("no-such-package", "there is no such file or folder", file=str(path))
    model, weights = _located(path)
    spec = _parsed(path, model)
    kind = spec.WhichOneof("Type")
    if kind != "mlProgram":
        raise fail(
            "no-program",
            f"it holds a model of the kind {kind}" if kind else "it holds no model",
            file=str(path),
            expected="an ML program, as coremltools writes it for iOS 15 and later",
            fix='convert it again with convert_to="mlprogram"',
        )
    try:
        program = parse(spec.mlProgram, weights)
    except DamagedError as error:
        raise damaged(path, str(error)) from error
    except EfspecError as error:
        raise EfspecError(d.replaced(file=str(path)) for d in error.diagnostics) from error
    inputs = {one.name: one for one in program.inputs}
    features = [f for f in spec.description.input if f.name in inputs]
    if len(features) != 1 or len(inputs) != 1:
        names = ", ".join(inputs) or "none"
        message = f"its inputs are {names}"
        raise fail("other-network", message, file=str(path), expected="one input: an image")
    feature = features[0].type
    return Package(
        path=path,
        program=program,
        image=_image(feature.imageType) if feature.HasField("imageType") else None,
        version=spec.specificationVersion,
        metadata=dict(spec.description.metadata.userDefined),
    )


def damaged(path: Path, message: str) -> EfspecError:
    """An error about a package that contradicts itself."""
    fix = "write or copy the package again"
    return fail("damaged-package", message, file=str(path), fix=fix)


def _located(path: Path) -> tuple[Path, Path]:
    """The files of the model and the folder of its weights' files."""
    if path.is_file() and path.suffix == ".mlmodel":
        return path, path.parent
    if not path.is_dir() or path.suffix != SUFFIX:
        raise fail(
            "not-a-package",
            "it is neither a Core ML package nor an ONNX file",
            file=str(path),
            expected=f"a folder *{SUFFIX}, or a file *.onnx",
            fix="give the package that it was compiled from" if path.suffix == ".mlmodelc" else "",
        )
    manifest = path / "Manifest.json"
    try:
        content = json.loads(manifest.read_bytes())
        root = content["rootModelIdentifier"]
        relative = content["itemInfoEntries"][root]["path"]
        model = (path / "Data" / relative).resolve()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, "Manifest.json is missing, or does not name a model") from error
    if not model.is_relative_to(path.resolve()) or not model.is_file():
        raise damaged(path, "the model that Manifest.json names is not in it")
    return model, model.parent


def _parsed(path: Path, model: Path) -> Any:
    """The protobuf message in a file."""
    proto = model_proto()
    if model.stat().st_size > MAX_MODEL:
        raise damaged(path, f"{model.name} is larger than {MAX_MODEL:,} bytes")
    spec = proto.Model()
    try:
        spec.ParseFromString(model.read_bytes())
    except Exception as error:  # protobuf's classes of errors depend on how it was built
        raise damaged(path, f"{model.name} is no Core ML model") from error
    return spec


def model_proto() -> Any:
    """The protobuf classes of Core ML models, which coremltools brings.

    They are loaded alone: importing coremltools imports torchvision where there is one, and all
    that this imports in turn, which takes far longer than most packages take to be verified.

    Raises:
        EfspecError: When coremltools is not installed.
    """
    package = find_spec("coremltools")
    if package is None or not package.submodule_search_locations:
        raise fail(
            "missing-package",
            "coremltools, which reads Core ML packages, is not installed",
            fix="pip install coremltools",
        )
    if _PROTO not in sys.modules:
        folder = Path(package.submodule_search_locations[0], "proto")
        file = folder / "__init__.py"
        spec = spec_from_file_location(_PROTO, file, submodule_search_locations=[str(folder)])
        assert spec is not None  # the name ends in `.py`
        sys.modules[_PROTO] = module_from_spec(spec)
    return import_module(f"{_PROTO}.Model_pb2")


def _image(feature: Any) -> Image:
    order = feature.ColorSpace.Name(feature.colorSpace)
    if order not in ("RGB", "BGR", "GRAYSCALE"):
        raise fail("unsupported-option", f"images of the kind {order}", expected="RGB or BGR")
    return Image(order)
