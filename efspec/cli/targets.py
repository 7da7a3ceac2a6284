"""What `efspec build` can write: of each target its file's ending, and how it is made."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from efspec.cli.files import Content
from efspec.extras import need
from efspec.onnx.limits import OPSET, check_opset, check_size
from efspec.record import Record

if TYPE_CHECKING:
    from torch import Tensor

    from efspec.card import Card, Interface
    from efspec.coreml.lint import Finding
    from efspec.coreml.options import PackageOptions
    from efspec.cost import Score
    from efspec.deploy import Weights
    from efspec.latency import Device
    from efspec.plan import Plan
    from efspec.pytorch.reference import Array, Wanted
    from efspec.pytorch.source import Source
    from efspec.spec.schema import NetworkSpec

Step = Callable[[str], None]


class Made(NamedTuple):
    """What a target gives.

    Attributes:
        data: Bytes of its file, or of each file of its folder.
        check: How it was checked, and with what result; empty if it was not.
    """

    data: Content
    check: str = ""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data) if isinstance(self.data, bytes) else sum(map(len, self.data.values()))


class Options(Record):
    """What a user can want of single targets.

    Attributes:
        dynamic_batch: Whether files of `onnx` and `torch` take a batch of any size, and not of 1.
        opset: Operator set of `onnx`.
        license: What packages and ONNX files say that they may be used for; empty for nothing.
        package: What the package of `coreml` is to be like; None for the usual.
        device: What says how long the network takes; None for a card without a latency.
    """

    dynamic_batch: bool = False
    opset: int = OPSET
    license: str = ""
    package: PackageOptions | None = None
    device: Device | None = None


NO_OPTIONS = Options()


def _latency_from(score: Score, device: Device | None) -> str:
    """How a latency was had, how it is known, and in which range it is; empty without one."""
    if device is None or score.latency_range_ms is None:
        return ""
    protocol = device.table.protocol
    low, high = score.latency_range_ms
    known = ", ".join(f"{share:.0%} {method}" for method, share in (score.coverage or {}).items())
    said = [protocol.device, protocol.os, protocol.runtime, f"compute units {protocol.unit}"]
    said += [protocol.precision, protocol.tool, protocol.date]
    how = ", ".join(word for word in said if word)
    return f"by the table {device.table.name} ({how}); {known}; from {low:.3f} to {high:.3f} ms"


class Ingredients:
    """What targets are made of; weights are read or drawn once, by the first that needs them.

    Args:
        plan: The network.
        spec: Its spec, which artefacts carry along; None where only the plan is known.
        source: A checkpoint in any known layout; None for initial weights.
        seed: Seed of the initial weights.
        options: What the user wants of single targets.
        step: Called at the start of each step with what it does.
        remark: Called with each thing that was done to a checkpoint besides renaming, and with
            what may slow an artefact down.

    Attributes:
        made: What was made so far, by target.
        findings: What may keep the Core ML package off the Neural Engine.
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
        self.remark = remark
        self.made: dict[str, Made] = {}
        self.findings: tuple[Finding, ...] = ()
        self._source = source

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
            self.remark(text)
        return complete(self.plan, adapted, self.seed)

    @cached_property
    def deployed(self) -> tuple[Plan, Weights]:
        """The network as it is exported: the plan rewritten for inference, and its weights."""
        from efspec.pytorch.build import deployed

        return deployed(self.plan, self.state)

    @cached_property
    def sample(self) -> tuple[Array, tuple[Wanted, ...]]:
        """Images, and what the module gives for them: what artefacts are checked with."""
        from efspec.pytorch import reference

        images = reference.images(self.plan, 2 if self.options.dynamic_batch else 1)
        return images, reference.outputs(self.plan, self.state, images)

    @cached_property
    def score(self) -> Score:
        """What the network costs, with its latency where a device is named.

        Raises:
            EfspecError: When the device's table does not say how long a part takes.
        """
        from efspec.api import load_mes
        from efspec.cost import score

        device = self.options.device
        return score(self.plan, device, load_mes() if device else None)

    def metadata(self) -> dict[str, str]:
        """What artefacts say of where they come from: version, spec and its hash, and its size."""
        from efspec.cost import count_module
        from efspec.spec.dump import dump

        counts = count_module(self.plan.network)
        return {
            "efspec.version": version("efspec"),
            "efspec.spec_hash": self.plan.hash,
            "efspec.params": str(counts.params),
            "efspec.macs": str(counts.macs),
        } | {
            name: text
            for name, text in (
                ("efspec.spec", dump(self.spec) if self.spec else ""),
                ("license", self.options.license),
            )
            if text
        }

    def card(self) -> Card:
        """What is to be told of the network and of what was made of it."""
        from efspec.card import Artefact, Card
        from efspec.spec.dump import dump

        score = self.score
        return Card(
            plan=self.plan,
            score=score,
            spec=dump(self.spec) if self.spec else "",
            latency_from=_latency_from(score, self.options.device),
            weights=self._weights_from(),
            artefacts=tuple(
                Artefact(name, file_name(self.plan, name), one.size, one.check)
                for name, one in self.made.items()
                if name not in ("card", "page")
            ),
            coreml=self._interface() if "coreml" in self.made else None,
        )

    def _weights_from(self) -> str:
        if self._source is None:
            return f"Weights: initial ones, drawn with seed {self.seed}; not trained"
        return f"Weights: from {self._source.path.name}"

    def _interface(self) -> Interface:
        from efspec.card import Interface
        from efspec.coreml.emit import package_outputs
        from efspec.coreml.options import DEFAULT

        options = self.options.package or DEFAULT
        return Interface(
            file=file_name(self.plan, "coreml"),
            precision=options.precision,
            ios=options.ios,
            image=options.image is not None,
            outputs=package_outputs(self.plan, options),
            labels=options.labels is not None,
            findings=tuple(
                (one.name, one.basis, one.message, len(one.ops), one.source)
                for one in self.findings
            ),
        )


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


def file_name(plan: Plan, target: str) -> str:
    """Name of a target's file; Python can import the code."""
    stem = plan.name.replace("-", "_").replace(".", "_")
    hides = keyword.iskeyword(stem) or stem in sys.stdlib_module_names or stem == "torch"
    return (f"{stem}_" if hides else stem) + TARGETS[target].suffix


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
    need("ONNX files need", "onnx", extra="onnx")
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


def _coreml(of: Ingredients) -> Made:
    from efspec.cli import packages
    from efspec.coreml.options import DEFAULT, check_options

    options = of.options.package or DEFAULT
    check_options(options, of.plan)  # before it takes long
    plan, weights = of.deployed
    of.step("writing and running a Core ML package")
    package, report = packages.prove(of.plan, of.state, (plan, weights), options, of.metadata())
    for text in packages.remarks(package.findings):
        of.remark(text)
    of.findings = package.findings
    return Made(package.files, packages.told(report))


def _card(of: Ingredients) -> Made:
    of.step("writing the card")
    from efspec.card import markdown

    return Made(markdown(of.card()).encode())


def _page(of: Ingredients) -> Made:
    from efspec.card import html

    return Made(html(of.card()).encode())


TARGETS = {
    "code": Target(".py", _code, steps=1, needs_weights=False),
    "weights": Target(".safetensors", _weights, steps=0, needs_weights=True),
    "coreml": Target(".mlpackage", _coreml, steps=1, needs_weights=True),
    "onnx": Target(".onnx", _onnx, steps=2, needs_weights=True),
    "torch": Target(".pt2", _torch, steps=2, needs_weights=True),
    "card": Target(".md", _card, steps=1, needs_weights=False),
    "page": Target(".html", _page, steps=0, needs_weights=False),
}
"""Every target there is, in the order in which they are made and listed."""
