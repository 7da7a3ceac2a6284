"""Making packages as other tools do, and changing them on disk."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from efspec.coreml.quiet import quiet
from efspec.plan import Plan
from efspec.verify import Package, module_reference, read_package
from efspec.verify.images import random_images
from efspec.verify.package import OPS_KEY, model_proto
from efspec.verify.reference import values_of
from efspec.verify.values import Array
from tests.verify.networks import State

MODEL = Path("Data", "com.apple.CoreML", "model.mlmodel")
WEIGHTS = Path("Data", "com.apple.CoreML", "weights", "weight.bin")

Edit = Callable[[Any], None]


@contextmanager
def working() -> Iterator[None]:
    """Use coremltools, and have its temporary folders cleared away before warnings count again."""
    with quiet(), torch.no_grad():
        yield
        gc.collect()


def convert(
    module: nn.Module,
    shape: Sequence[int],
    folder: Path,
    name: str,
    *,
    half: bool = False,
    exported: bool = False,
    ios: int = 16,
    source: Any = None,
    labels: Sequence[str] | None = None,
) -> Path:
    """A package that coremltools makes of a module, by tracing or exporting it."""
    path = folder / f"{name}.mlpackage"
    with working():
        import coremltools as ct

        x = torch.zeros(*shape)
        if exported:
            program: Any = torch.export.export(module, (x,)).run_decompositions({})
        else:
            program = torch.jit.trace(module, x)
        options: dict[str, Any] = {} if labels else {"outputs": [ct.TensorType(name="logits")]}
        if labels:
            options["classifier_config"] = ct.ClassifierConfig(list(labels))
        model = ct.convert(
            program,
            inputs=[source or ct.TensorType(name="image", shape=tuple(shape))],
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, f"iOS{ios}"),
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            skip_model_load=True,
            **options,
        )
        model.save(str(path))
        del model
    return path


def compress(package: Path, how: str, path: Path) -> Path:
    """Where a package is written with its weights packed: `int8`, `int4`, `pal6` and so on."""
    with working():
        import coremltools as ct
        import coremltools.optimize.coreml as cto

        model = ct.models.MLModel(str(package), skip_model_load=True)
        if how.startswith("pal"):
            op = cto.OpPalettizerConfig(mode="uniform", nbits=int(how[3:]), weight_threshold=64)
            packed = cto.palettize_weights(model, cto.OptimizationConfig(global_config=op))
        else:
            options = {"dtype": how} if how == "int8" else {"dtype": "int4", "block_size": 8}
            granularity = "per_channel" if how == "int8" else "per_block"
            op = cto.OpLinearQuantizerConfig(
                mode="linear_symmetric",
                weight_threshold=64,
                granularity=granularity,
                **options,
            )
            packed = cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config=op))
        packed.save(str(path))
        del model, packed
    return path


def unpacked(package: Path) -> dict[str, Array]:
    """What packed weights stand for, as coremltools reads them."""
    with working():
        from coremltools.converters.mil.frontend.milproto.load import load

        message = model(package)
        program = load(
            message,
            specification_version=message.specificationVersion,
            file_weights_dir=str((package / WEIGHTS).parent),
        )
        return {
            op.outputs[0].name: op.materialized_val_inference()
            for op in program.functions["main"].operations
            if op.op_type.startswith("constexpr_")
        }


def changed(package: Path, folder: Path, edit: Edit) -> Path:
    """A copy of a package, with its model edited."""
    copy = folder / package.name
    shutil.copytree(package, copy)
    message = model(copy)
    edit(message)
    (copy / MODEL).write_bytes(message.SerializeToString())
    return copy


def model(package: Path) -> Any:
    message = model_proto().Model()
    message.ParseFromString((package / MODEL).read_bytes())
    return message


def main(message: Any) -> Any:
    """The block of a model's function."""
    function = message.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def named(package: Path, plan: Plan, state: State) -> Package:
    """The package, with a table of the plan's op ids such as efspec writes.

    A value of the package is the plan's op's if they are the same numbers; what is no op's value
    serves the next that is.
    """
    read = read_package(package)
    reference = module_reference(plan, state)
    (images,) = random_images(read.program.inputs[0].shape, 1, None)
    assert reference.trace is not None
    values = reference.trace(images)
    wanted = [(key, y.reshape(-1)) for key, results in values.items() for y in results]
    ids: dict[str, str] = {}
    waiting: list[str] = []
    for op, results in values_of(read, images):
        waiting += [one.name for one in op.outputs]
        flat = [y.reshape(-1) for y in results]
        hits = [k for k, y in wanted if y.shape == flat[0].shape and same(flat[0], y)]
        if hits:
            free = [key for key in hits if key not in ids.values()]
            ids |= dict.fromkeys(waiting, (free or hits)[-1])
            waiting.clear()
    assert not waiting
    message = model(package)
    for op in main(message).operations:
        if op.type not in ("const", "split"):  # coremltools keeps names of its own
            op.attributes["name"].immediateValue.tensor.strings.values[0] = op.outputs[0].name
    message.description.metadata.userDefined[OPS_KEY] = json.dumps(ids)
    (package / MODEL).write_bytes(message.SerializeToString())
    return read_package(package)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-6 * other.abs().max())
