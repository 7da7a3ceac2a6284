"""What a package is compared with: a module, or another package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from efspec.coreml.options import IMAGENET, Normal
from efspec.deploy import deploy
from efspec.plan import PlacedOp, Plan, ops_by_part
from efspec.pytorch.build import build_module
from efspec.pytorch.interpret import interpret
from efspec.record import Node
from efspec.verify.images import Images
from efspec.verify.package import Package
from efspec.verify.program import CLASSIFY, Operation
from efspec.verify.run import Runner, numeric_outputs

Values = Mapping[str, tuple[Tensor, ...]]
"""Values by the id of the plan's op that makes them, in order of execution."""


class Reference(Node):
    """What is right.

    Attributes:
        name: What it is, for the report.
        input: Channels, height and width.
        shapes: Shape of each output, batch axis left out.
        outputs: What it gives for images.
        exact: The same in double precision, where it can.
        normal: What its images are, of pixels.
        plan: The plan whose ops those of a package are named after, where there is one.
        trace: Every value of that plan for one batch of images, in double precision.
        package: The package that it is, if it is one.
        gives_probabilities: Whether its outputs went through a softmax.
    """

    name: str
    input: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    outputs: Callable[[Images], tuple[Tensor, ...]]
    exact: Callable[[Images], tuple[Tensor, ...]] | None = None
    normal: Normal = IMAGENET
    plan: Plan | None = None
    trace: Callable[[Images], Values] | None = None
    package: Package | None = None
    gives_probabilities: bool = False


def module_reference(
    plan: Plan,
    state: Mapping[str, Tensor],
    *,
    deployed: bool = False,
    normal: Normal = IMAGENET,
) -> Reference:
    """The module of a plan, with weights.

    Args:
        plan: The network.
        state: Its state dict.
        deployed: Whether packages are named after the plan that is deployed, as efspec's are.
        normal: What the module's images are, of pixels.
    """
    module = build_module(plan).eval()
    single = {key: t.float() if t.is_floating_point() else t for key, t in state.items()}
    module.load_state_dict(single, assign=True)  # the weights are not held twice
    passes = deploy(plan) if deployed else None
    traced = passes.plan if passes else plan

    def outputs(images: Images) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            result = module(images.normal)
        return result if isinstance(result, tuple) else (result,)

    def exact(images: Images) -> tuple[Tensor, ...]:
        with torch.inference_mode(), _in_double(module, single):
            result = module(images.normal.double())
        return result if isinstance(result, tuple) else (result,)

    def trace(images: Images) -> Values:
        found: dict[str, tuple[Tensor, ...]] = {}

        def observe(placed: PlacedOp, results: tuple[Tensor, ...]) -> None:
            found[placed.id] = results

        with torch.inference_mode():
            weights = {key: tensor.double() for key, tensor in module.state_dict().items()}
            if passes:
                arrays = passes.of({key: tensor.numpy() for key, tensor in weights.items()})
                weights = {key: torch.from_numpy(array) for key, array in arrays.items()}
            interpret(traced, weights, images.normal.double(), observe)
        return found

    return Reference(
        name=f"the module of {plan.name}",
        input=plan.input,
        shapes=tuple(value.shape.plain().sizes for value in plan.network.outputs),
        outputs=outputs,
        exact=exact,
        normal=normal,
        plan=traced,
        trace=trace,
    )


@contextmanager
def _in_double(module: nn.Module, single: Mapping[str, Tensor]) -> Iterator[None]:
    """Have a module in double precision, which holds each of its numbers, and give it back."""
    module.double()
    try:
        yield
    finally:
        module.load_state_dict(single, assign=True)  # the weights are not held twice


def package_reference(package: Package, normal: Normal = IMAGENET) -> Reference:
    """Another package, run in single precision.

    Raises:
        EfspecError: When it holds an op that efspec does not know.
    """
    single, double = Runner(package.program, "fp32"), Runner(package.program, "fp64")

    def outputs(images: Images) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return single.run(images.taken(package.image))

    def exact(images: Images) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return double.run(images.taken(package.image))

    return Reference(
        name=package.path.name,
        input=package.program.inputs[0].shape[1:],
        shapes=tuple(output_shape(package, name) for name in numeric_outputs(package.program)),
        outputs=outputs,
        exact=None if package.program.is_half or package.program.packings else exact,
        normal=normal,
        package=package,
        gives_probabilities=gives_probabilities(package),
    )


def gives_probabilities(package: Package) -> bool:
    """Whether what a package gives went through a softmax at the end."""
    made = {one.name: op for op in package.program.operations for one in op.outputs}
    for name in numeric_outputs(package.program):
        op = made[name]
        while op.kind in (CLASSIFY, "cast"):
            source = next(op.sources())
            if source not in made:
                break
            op = made[source]
        if op.kind == "softmax":
            return True
    return False


def output_shape(package: Package, name: str) -> tuple[int, ...]:
    """Shape of an output, batch axis left out; that of probabilities where they are labelled."""
    shapes = {one.name: one.shape for op in package.program.operations for one in op.outputs}
    for op in package.program.operations:
        if op.kind == CLASSIFY and any(one.name == name for one in op.outputs):
            (source,) = (operand for operand in op.sources())
            return shapes[source][1:]
    return shapes[name][1:]


def values_of(package: Package, images: Images) -> list[tuple[Operation, tuple[Tensor, ...]]]:
    """Every op of a package and what it gives for images, in double precision."""
    found: list[tuple[Operation, tuple[Tensor, ...]]] = []
    runner = Runner(package.program, "fp64")
    with torch.inference_mode():
        taken = images.taken(package.image)
        runner.run(taken, lambda op, results: found.append((op, results)))
    return found


def part_outputs(plan: Plan) -> dict[str, str]:
    """Id of the op that gives each part's result, by the part's path, in order."""
    return {path: ops[-1].id for path, ops in ops_by_part(plan).items() if ops}
