"""A network in the parts that its spec speaks of: stem, downsamples, blocks, head."""

from __future__ import annotations

import re
from dataclasses import dataclass

from efspec.plan.module import CallStep, Module, PlacedOp, Plan, walk
from efspec.plan.ops import Shape

_STAGE = re.compile(r"stages\.(\d+)")


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """A part of a network.

    Attributes:
        path: Its module path; `head` for what the network's own class holds.
        type: Name of its class.
        stage: Number of its stage, or None.
        module: Its module, or None for the head.
        ops: Its ops.
        input: Shape of what it takes.
        output: Shape of what it gives.
    """

    path: str
    type: str
    stage: int | None
    module: Module | None
    ops: tuple[PlacedOp, ...]
    input: Shape
    output: Shape


def parts(plan: Plan) -> list[Part]:
    """The parts of a network in order of execution, the head last; each op is in one of them."""
    ops = plan.ops()
    found: list[Part] = []
    head: list[PlacedOp] = []
    done = 0

    def visit(module: Module, path: str) -> None:
        nonlocal done
        for step in module.steps:
            child = f"{path}{step.name}"
            if not isinstance(step, CallStep):  # only the network's own class holds layers
                head.append(ops[done])
                done += 1
            elif step.module.block.inline:
                visit(step.module, f"{child}.")
            else:
                count = len(walk(step.module)[0])
                found.append(_part(child, step, ops[done : done + count]))
                done += count

    visit(plan.network, "")
    if head:
        output = head[-1].output_shapes[0]
        found.append(Part("head", "head", None, None, tuple(head), head[0].input_shapes[0], output))
    return found


def _part(path: str, step: CallStep, ops: tuple[PlacedOp, ...]) -> Part:
    stage = _STAGE.match(path)
    return Part(
        path=path,
        type=step.module.block.class_name(),
        stage=int(stage[1]) if stage else None,
        module=step.module,
        ops=ops,
        input=step.inputs[0].shape,
        output=step.outputs[0].shape,
    )
