"""What `efspec build` can write: of each target its file's ending, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from efspec.errors import fail
from efspec.onnx.limits import OPSET, check_opset, check_size
from efspec.record import Record

if TYPE_CHECKING:
    from torch import Tensor

    from efspec.deploy import Weights
    from efspec.plan import Plan
    from efspec.pytorch.reference import Array, Wanted
    from efspec.pytorch.source import Source
    from efspec.spec.schema import NetworkSpec

Step = Callable[[str], None]


class Made(NamedTuple):
    """What a target gives.

    Attributes:
        data: Bytes of its file.
        check: How it was checked, and with what result; empty if it was not.
    """

    data: bytes
    check: str = ""


class Options(Record):
    """What a user can want of single targets.

    Attributes:
        dynamic_batch: Whether files of `onnx` and `torch` take a batch of any size, and not of 1.
        opset: Operator set of `onnx`.
    """

    dynamic_batch: bool = False
    opset: int = OPSET


NO_OPTIONS = Options()


class Ingredients:
    """What targets are made of; weights are read or drawn once, by the first that needs them.

    Args:
        plan: The network.
        spec: Its spec, which artefacts carry along; None where only the plan is known.
        source: A checkpoint in any known layout; None for initial weights.
        seed: Seed of the initial weights.
        options: What the user wants of single targets.
        step: Called at the start of each step with what it does.
        remark: Called with each thing that was done to a checkpoint besides renaming.
    """

    def __init__(
        self,
        plan: Plan,
        spec: NetworkSpec | None = None,
        source: Source | None = None,
        seed: int = 0,
        *,
        options: Options = NO_OPTIONS,
        step: Step = lambda description: None,
        remark: Step = lambda description: None,
    ) -> None:
        self.plan = plan
        self.spec = spec
        self.seed = seed
        self.options = options
        self.step = step
        self._source = source
        self._remark = remark

    @cached_property
    def state(self) -> Mapping[str, Tensor]:
        """The state dict; two steps.

        Raises:
            EfspecError: When the checkpoint is of another network.
        """
        self.step("loading torch")
        import_module("torch")  # what takes long is shown as itself

        self.step("reading weights" if self._source else "drawing initial weights")
        from efspec.pytorch.adapt import complete
        from efspec.pytorch.build import build_module
        from efspec.pytorch.checkpoints import take

        if self._source is None:
            return build_module(self.plan, self.seed).state_dict()
        adapted = take(self.plan, self._source)
        for text in adapted.remarks():
            self._remark(text)
        return complete(self.plan, adapted, self.seed)

    @cached_property
    def deployed(self) -> tuple[Plan, Weights]:
        """The network as it is exported: the plan rewritten for inference, and its weights.

        They are in single precision, so that halves are not rounded to halves by each pass.
        """
        from efspec.deploy import deploy

        rewritten = deploy(self.plan)
        weights = {name: t.float().numpy(force=True) for name, t in self.state.items()}
        return rewritten.plan, rewritten.of(weights)

    @cached_property
    def sample(self) -> tuple[Array, tuple[Wanted, ...]]:
        """Images, and what the module gives for them: what artefacts are checked with."""
        from efspec.pytorch import reference

        images = reference.images(self.plan, 2 if self.options.dynamic_batch else 1)
        return images, reference.outputs(self.plan, self.state, images)

    def metadata(self) -> dict[str, str]:
        """What artefacts say of where they come from: version, hash of the spec, and the spec."""
        from efspec.spec.dump import dump

        known = {"efspec.version": version("efspec"), "efspec.spec_hash": self.plan.hash}
        return known | ({"efspec.spec": dump(self.spec)} if self.spec else {})


class Target(NamedTuple):
    """Something that a build can write.

    Attributes:
        suffix: Ending of its file's name.
        make: What gives its content.
        steps: How many steps that takes, besides getting weights.
        needs_weights: Whether it uses `Ingredients.state`.
    """

    suffix: str
    make: Callable[[Ingredients], Made]
    steps: int
    needs_weights: bool


def steps(targets: tuple[str, ...]) -> int:
    """How many steps it takes to make targets."""
    wanted = [TARGETS[name] for name in set(targets)]
    return sum(t.steps for t in wanted) + 2 * any(t.needs_weights for t in wanted)


def _code(of: Ingredients) -> Made:
    of.step("writing code")
    from efspec.codegen import generate

    return Made(generate(of.plan).encode())


def _weights(of: Ingredients) -> Made:
    state = of.state
    from efspec.pytorch.checkpoints import encode

    return Made(encode(of.plan, state, ".safetensors"))


def _onnx(of: Ingredients) -> Made:
    if find_spec("onnx") is None:
        raise fail(
            "missing-package",
            "ONNX files need onnx, which is not installed",
            fix="pip install 'efspec[onnx]'",
        )
    check_opset(of.options.opset)  # before it takes long
    check_size(of.plan)
    plan, weights = of.deployed
    of.step("writing ONNX")
    from efspec.onnx import emit, runtime
    from efspec.pytorch.reference import difference

    options = of.options
    model = emit.emit(
        plan,
        weights,
        opset=options.opset,
        dynamic_batch=options.dynamic_batch,
        metadata=of.metadata(),
    )
    emit.check(model)
    data = emit.encode(model)
    of.step("running it in onnxruntime")
    if not (found := runtime.runtime_version()):
        return Made(data, "its structure only: onnxruntime is not installed")
    images, expected = of.sample
    runs_in = f"onnxruntime {found}"
    error = difference(of.plan, runtime.run(data, images), expected, runs_in)
    return Made(data, _checked(runs_in, error))


def _checked(runs_in: str, error: float) -> str:
    return f"{runs_in}: as the module, to {error:.0e}"


def _torch(of: Ingredients) -> Made:
    plan, weights = of.deployed
    of.step("exporting with torch")
    from efspec.pytorch import exported
    from efspec.pytorch.reference import difference

    program = exported.program(plan, weights, dynamic_batch=of.options.dynamic_batch)
    data = exported.encode(program)
    of.step("running what was exported")
    images, expected = of.sample
    runs_in = f"torch {version('torch')}"
    error = difference(of.plan, exported.run(data, images), expected, runs_in)
    return Made(data, _checked(runs_in, error))


TARGETS = {
    "code": Target(".py", _code, steps=1, needs_weights=False),
    "weights": Target(".safetensors", _weights, steps=0, needs_weights=True),
    "onnx": Target(".onnx", _onnx, steps=2, needs_weights=True),
    "torch": Target(".pt2", _torch, steps=2, needs_weights=True),
}
"""Every target there is, in the order in which they are made and listed."""
