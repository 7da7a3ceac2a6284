"""What a pass may do to an op, and blocks whose ops were so changed.

A pass names ops of a plan and what becomes of each. The plan is then traced again: a module that
holds such ops runs its block as before, and what that records is changed on its way. So a
rewritten block is a block like any other: its plan, its source and its costs follow.
"""

from __future__ import annotations

import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, cast

from efspec.plan import (
    Block,
    Builder,
    CallStep,
    Module,
    OpStep,
    PlacedOp,
    Plan,
    Value,
    parametric,
    trace,
)
from efspec.plan.module import Step
from efspec.plan.ops import AttentionBias, FunctionOp, Init, LayerOp, ScoreBias, Split
from efspec.record import Record

NOTE_WIDTH = 80
"""Longest line of what a docstring says of edits, within its class."""


class Steps:
    """The steps of a module, while they are changed.

    Attributes:
        steps: The steps; None where one is gone.
        instead: What stands for a value that is gone.
    """

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps: list[Step | None] = [*steps]
        self.instead: dict[Value, Value] = {}

    def op(self, number: int) -> OpStep:
        """A step that is an op at work."""
        step = self.steps[number]
        assert isinstance(step, OpStep)  # passes name ops
        return step

    def change(self, number: int, op: FunctionOp | LayerOp, name: str) -> None:
        """Put another op in the place of a step's."""
        old = self.op(number)
        self.steps[number] = OpStep(op, name, old.index, old.inputs, old.outputs)


class Edit(Record, ABC):
    """What becomes of an op."""

    @abstractmethod
    def apply(self, steps: Steps, number: int) -> None:
        """Change the step of a number."""


class Bypass(Edit):
    """The op goes; its first input stands for its result."""

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        step = steps.op(number)
        steps.instead[step.outputs[0]] = step.inputs[0]
        steps.steps[number] = None


class Drop(Edit):
    """The op goes, as nothing reads its result any more."""

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        steps.steps[number] = None


class SwapWithNext(Edit):
    """The op comes behind the one that reads its result, which is the module's next."""

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        first, second = steps.op(number), steps.op(number + 1)
        steps.change(number, second.op, second.name)
        steps.change(number + 1, first.op, first.name)


class LookUp(Edit):
    """A bias per offset becomes a bias per score."""

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        step = steps.op(number)
        assert isinstance(step.op, AttentionBias)
        _, queries, keys = step.inputs[0].shape.sizes
        steps.change(number, ScoreBias(step.op.num_heads, queries, keys), "")


class TransposeOperands(Edit):
    """A matrix product transposes its operands, which it did not."""

    x: bool
    y: bool

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        step = steps.op(number)
        changed = step.op.replaced(transpose_x=self.x, transpose_y=self.y)
        steps.change(number, changed, step.name)


class Initialise(Edit):
    """A layer's initial weights are drawn in another way."""

    init: Init

    def apply(self, steps: Steps, number: int) -> None:
        """See `Edit.apply`."""
        step = steps.op(number)
        steps.change(number, step.op.replaced(init=self.init), step.name)


class Edits(Record):
    """The edits of a module and of all below it.

    Attributes:
        own: Edits of the module's own ops, by the number of the step.
        children: Edits of its children, by name.
        note: What they do to the module, in a sentence.
    """

    own: tuple[tuple[int, Edit], ...]
    children: tuple[tuple[str, Edits], ...]
    note: str


class RewrittenBlock(Block):
    """A traced block with its steps changed.

    Attributes:
        module: What the block was traced to.
        edits: What becomes of its steps.
        given: Its constructor arguments, by name.
    """

    module: Module
    edits: Edits
    given: tuple[tuple[str, int | float], ...]

    def takes(self) -> Literal["map", "tokens", "any"]:
        """See `Block.takes`."""
        return self.module.block.takes()

    def class_name(self) -> str:
        """See `Block.class_name`."""
        return self.original()[0].class_name()

    def summary(self) -> str:
        """See `Block.summary`."""
        block, notes = self.original()
        text = inspect.cleandoc(block.summary())
        return "\n\n".join((text, textwrap.fill(" ".join(notes), NOTE_WIDTH))) if notes else text

    def original(self) -> tuple[Block, list[str]]:
        """The block before all rewriting, and what was done to it."""
        block = self.module.block
        notes: list[str] = []
        if isinstance(block, RewrittenBlock):
            block, notes = block.original()
        return block, [*notes, self.edits.note] if self.edits.own and self.edits.note else notes

    def sizes(self) -> dict[str, int | float]:
        """See `Block.sizes`."""
        return dict(self.given)

    def sized(self, sizes: Mapping[str, int | float]) -> RewrittenBlock:
        """See `Block.sized`."""
        return self.replaced(given=tuple(sizes.items()))

    def defaults(self) -> dict[str, int | float]:
        """See `Block.defaults`."""
        return self.module.block.defaults()

    def structure(self) -> tuple[tuple[str, object], ...]:
        """See `Block.structure`."""
        block = self.module.block
        return (*block.structure(), (f"edits of {type(block).__name__}", self.edits))

    def forward(self, b: Builder, x: Value) -> Value | tuple[Value, ...]:
        """The steps of the block, less what the edits take away."""
        module = parametric(self.module) if b.parametric else self.module
        for name, decision in module.decisions():
            b.static(name, decision)
        steps = Steps(module.steps)
        for number, edit in self.edits.own:
            edit.apply(steps, number)
        values = {module.inputs[0]: x}

        def now(value: Value) -> Value:
            while value in steps.instead:
                value = steps.instead[value]
            return values[value]

        children = dict(self.edits.children)
        for step in steps.steps:
            if step is not None:
                inputs = [now(value) for value in step.inputs]
                outputs = _repeat(b, step, inputs, children)
                values.update(zip(step.outputs, outputs, strict=True))
        results = tuple(map(now, module.outputs))
        return results if len(results) > 1 else results[0]


class RewrittenInlineBlock(RewrittenBlock):
    """The same, of a block that is written out where it stands."""

    inline: ClassVar[bool] = True


def rewritten(plan: Plan, edits: Mapping[str, Edit], note: str = "") -> Plan:
    """The plan after some edits.

    Args:
        plan: The plan.
        edits: What becomes of an op, by its id.
        note: What the edits do, in a sentence for the docstrings of the classes that they change.
    """
    if not edits:
        return plan
    found = _collect(plan.network, iter(plan.ops()), edits, note)
    network = trace(_wrapped(plan.network, found), plan.network.inputs[0].shape)
    return plan.replaced(network=network, deployed=True)


def _collect(
    module: Module, ops: Iterator[PlacedOp], edits: Mapping[str, Edit], note: str
) -> Edits:
    """The edits of a module, whose ops and those below it are the next ones."""
    own, children = [], []
    for number, step in enumerate(module.steps):
        if isinstance(step, CallStep):
            inner = _collect(step.module, ops, edits, note)
            if inner.own or inner.children:
                children.append((step.name, inner))
        else:
            edit = edits.get(next(ops).id)
            if edit:
                own.append((number, edit))
    return Edits(tuple(own), tuple(children), note)


def _wrapped(module: Module, edits: Edits) -> Block:
    kind = RewrittenInlineBlock if module.block.inline else RewrittenBlock
    return kind(module=module, edits=edits, given=tuple(module.block.sizes().items()))


def _repeat(
    b: Builder, step: Step, inputs: list[Value], children: Mapping[str, Edits]
) -> tuple[Value, ...]:
    """Record a step on other values; its results."""
    variables = [value.var for value in step.outputs]
    if isinstance(step, CallStep):
        block = step.module.block
        if step.name in children:
            block = _wrapped(step.module, children[step.name])
        block = block.sized({name: step.arguments[name] for name in block.sizes()})
        (x,) = inputs
        return (b.call(step.name, block, x, var=variables[0], purpose=step.purpose),)
    if isinstance(step.op, Split):
        return b.split(step.op, inputs[0], *variables)
    if step.name:
        return (b.layer(step.name, cast(LayerOp, step.op), *inputs, var=variables[0]),)
    return (b.apply(cast(FunctionOp, step.op), *inputs, var=variables[0]),)
