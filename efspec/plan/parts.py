"""A network in the parts that its spec speaks of: stem, downsamples, blocks, head."""

from __future__ import annotations

from efspec.plan.module import CallStep, Module, OpStep, PlacedOp, Plan
from efspec.plan.op import Shape
from efspec.record import Node


class Part(Node):
    """A part of a network.

    Attributes:
        path: Its module path; `head` for what the network's own class holds.
        type: Name of its class.
        stage: Number of its stage, or None.
        module: Its module, or None for the head.
        input: Shape of what it takes.
        output: Shape of what it gives.
    """

    path: str
    type: str
    stage: int | None
    module: Module | None
    input: Shape
    output: Shape


def parts(plan: Plan) -> list[Part]:
    """The parts of a network in order of execution, the head last; each op is in one of them."""
    found: list[Part] = []

    def visit(module: Module, path: str) -> None:
        for step in module.calls():
            child = f"{path}{step.name}"
            if step.module.block.inline:
                visit(step.module, f"{child}.")
            else:
                found.append(_part(child, step))

    visit(plan.network, "")
    head = head_steps(plan)
    if head:
        first, last = head[0].inputs[0].shape, head[-1].outputs[0].shape
        found.append(Part("head", "head", None, None, first, last))
    return found


def head_steps(plan: Plan) -> list[OpStep]:
    """The ops that the network's own class holds: those of the head, and only they."""
    return [step for step in plan.network.steps if isinstance(step, OpStep)]


def ops_by_part(plan: Plan) -> dict[str, list[PlacedOp]]:
    """The ops of each part, by its path."""
    found: dict[str, list[PlacedOp]] = {part.path: [] for part in parts(plan)}
    paths = sorted(found, key=len, reverse=True)
    for placed in plan.ops():
        inside = (p for p in paths if placed.id.startswith((f"{p}.", f"{p}/")) and p != "head")
        found[next(inside, "head")].append(placed)
    return found


def _part(path: str, step: CallStep) -> Part:
    # A conversion between two stages, such as `stages.to_map`, is in none.
    name, _, rest = path.partition(".")
    number = rest.partition(".")[0] if name == "stages" else ""
    return Part(
        path=path,
        type=step.module.block.class_name(),
        stage=int(number) if number.isdecimal() else None,
        module=step.module,
        input=step.inputs[0].shape,
        output=step.outputs[0].shape,
    )
