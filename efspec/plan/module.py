"""The plan: a tree of modules whose bodies are straight-line steps over shaped values.

Unflattened it yields classes, which code generation and diagrams read. Flattened, by `walk`, it
yields every op with its id, its state-dict prefix and its shapes, which costs, the interpreter
and the deployment targets read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from efspec.plan.ops import AnyOp, Function, Shape
from efspec.record import Node

if TYPE_CHECKING:
    from efspec.plan.block import Block

Purpose = Literal["", "embedding", "attention", "mlp", "head", "other"]
"""What a module computes for, as V1's latency analysis splits a network."""


class Value(Node):
    """A tensor in a module's body.

    Attributes:
        shape: Its shape.
        var: Name of the variable in printed source; empty to write it in place if used once.
    """

    shape: Shape
    var: str = ""

    @property
    def layout(self) -> str:
        """`map`, `tokens` or `other`."""
        return self.shape.layout

    @property
    def channels(self) -> int:
        """C."""
        return self.shape.channels

    @property
    def space(self) -> tuple[int, int]:
        """(H, W) of a map or of tokens."""
        if self.shape.space is None:
            raise ValueError(f"a value of shape {self.shape.sizes} is neither map nor tokens")
        return self.shape.space


class OpStep(Node):
    """An op at work.

    Attributes:
        op: The op.
        name: Name of the child, of a layer; empty for a function.
        index: How often the module applied this layer, or a function of this kind, before.
    """

    op: AnyOp
    name: str
    index: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


class CallStep(Node):
    """A child module at work.

    Attributes:
        module: The child.
        name: Its name in the module tree.
        purpose: What it computes for; empty to leave that to the parent.
        arguments: What its constructor takes, in the caller's terms.
    """

    module: Module
    name: str
    purpose: Purpose
    arguments: Mapping[str, int | float]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


Step = OpStep | CallStep


class Module(Node):
    """A traced block. It knows neither its place in a network nor its caller, so it is shared.

    Its sizes are plain integers; `parametric` gives the same module in the terms of its arguments.

    Attributes:
        block: What was traced, in plain values.
        variant: The structural decisions: modules of one block type and one variant are one class.
        arguments: Value of each constructor argument by name, sizes of the input included.
    """

    block: Block
    variant: tuple[tuple[str, object], ...]
    arguments: Mapping[str, int | float]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    steps: tuple[Step, ...]

    @cached_property
    def results(self) -> dict[Hashable, Any]:
        """What was computed for this module; see `efspec.plan.memo`."""
        return {}

    def decisions(self) -> list[tuple[str, object]]:
        """The decisions that tracing took, by name: the variant less the block's own options."""
        return list(self.variant[len(self.block.structure()) + 1 :])

    def calls(self) -> Iterator[CallStep]:
        """The child modules, in order of execution."""
        return (step for step in self.steps if isinstance(step, CallStep))


class PlacedOp(Node):
    """An op in its place in the whole network.

    Attributes:
        id: Its name in reports and packages, unique in the network: the module path, and
            `/kind_k` for a function, or `/k` where a layer is applied again.
        prefix: What its tensors' names start with in the state dict, final dot included.
        purpose: What the innermost module that says so is for.
        inputs: Numbers of the values it reads; each value of the network has its own.
        outputs: Numbers of the values it makes.
    """

    id: str
    prefix: str
    purpose: Purpose
    op: AnyOp
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def walk(module: Module) -> tuple[tuple[PlacedOp, ...], tuple[int, ...]]:
    """Every op of a module and of all below it, in order of execution; numbers of its outputs.

    Value 0 is the module's input; values are numbered as they are made.
    """
    placed: list[PlacedOp] = []
    counter = 1

    def visit(module: Module, path: str, purpose: Purpose, numbers: dict[Value, int]) -> None:
        nonlocal counter
        for step in module.steps:
            if isinstance(step, CallStep):
                child = step.module
                inner = {v: numbers[w] for v, w in zip(child.inputs, step.inputs, strict=True)}
                child_path = f"{path}{step.name}"
                visit(child, f"{child_path}.", step.purpose or purpose, inner)
                for mine, theirs in zip(step.outputs, child.outputs, strict=True):
                    numbers[mine] = inner[theirs]
                continue
            for value in step.outputs:
                numbers[value] = counter
                counter += 1
            placed.append(
                PlacedOp(
                    id=_op_id(path, step),
                    prefix=path if isinstance(step.op, Function) else f"{path}{step.name}.",
                    purpose=purpose,
                    op=step.op,
                    input_shapes=tuple(v.shape for v in step.inputs),
                    output_shapes=tuple(v.shape for v in step.outputs),
                    inputs=tuple(numbers[v] for v in step.inputs),
                    outputs=tuple(numbers[v] for v in step.outputs),
                )
            )

    numbers = dict.fromkeys(module.inputs, 0)
    visit(module, "", "head", numbers)
    return tuple(placed), tuple(numbers[v] for v in module.outputs)


def _op_id(path: str, step: OpStep) -> str:
    if not step.name:
        return f"{path[:-1]}/{snake_case(type(step.op).__name__)}_{step.index}"
    return f"{path}{step.name}" + (f"/{step.index}" if step.index else "")


def snake_case(name: str) -> str:
    """`SplitHeads` as `split_heads`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Plan(Node):
    """A network, resolved: what every backend reads.

    Attributes:
        name: Name of the spec.
        description: What the spec says it is.
        hash: sha256 of the spec's resolved dump, in hexadecimal.
        network: The root of the module tree.
        deployed: Whether it was rewritten for inference, by `efspec.deploy`.
    """

    name: str
    description: str
    hash: str
    network: Module
    deployed: bool = False

    @property
    def input(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        channels, height, width = self.network.inputs[0].shape.sizes
        return channels, height, width

    def ops(self) -> tuple[PlacedOp, ...]:
        """Every op of the network, in order of execution."""
        return self._walked[0]

    def outputs(self) -> tuple[int, ...]:
        """Numbers of the values that the network returns."""
        return self._walked[1]

    @cached_property
    def _walked(self) -> tuple[tuple[PlacedOp, ...], tuple[int, ...]]:
        return walk(self.network)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of every trainable tensor by its name in the state dict."""
        return {
            placed.prefix + name: shape
            for placed in self.ops()
            for name, shape in placed.op.parameters().items()
        }

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Shape of every other tensor of the state dict by its name."""
        return {
            placed.prefix + name: shape
            for placed in self.ops()
            for name, shape in placed.op.buffers().items()
        }
