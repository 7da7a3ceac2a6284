"""How much memory activations take at most."""

from __future__ import annotations

from functools import lru_cache

from efspec.plan import CallStep, Module, Plan, Value

BYTES_PER_ELEMENT = 2
"""Half precision, which phones compute in."""


def peak_activation_bytes(plan: Plan) -> int:
    """Bytes of the activations alive at the worst moment, for one image in half precision.

    The plan is taken as written, op by op. At each op its inputs, all values that a later op or
    the caller still needs, and its result are alive. A view shares the memory of what it views,
    which is counted once.
    """
    return _peak(plan.network, False)[0] * BYTES_PER_ELEMENT


@lru_cache(maxsize=16384)
def _peak(module: Module, held: bool) -> tuple[int, bool]:
    """Elements alive at a module's worst moment, and whether it returns its input's memory.

    Args:
        module: The module.
        held: Whether the caller needs the input's memory afterwards.
    """
    (x,) = module.inputs
    memory: dict[Value, Value] = {x: x}  # whose memory a value is in
    last_use = {x: -1}
    for i, step in enumerate(module.steps):
        for value in step.inputs:
            last_use[memory[value]] = i
        is_view = _peak(step.module, True)[1] if isinstance(step, CallStep) else step.op.is_view
        for value in step.outputs:
            memory[value] = memory[step.inputs[0]] if is_view else value
            last_use.setdefault(memory[value], i)
    returned = {memory[value] for value in module.outputs}
    for value in (*returned, *([x] if held else ())):
        last_use[value] = len(module.steps)

    alive = {x}
    now = peak = x.shape.elements()
    for i, step in enumerate(module.steps):
        if isinstance(step, CallStep):
            source = memory[step.inputs[0]]
            within, _ = _peak(step.module, last_use[source] > i)
            peak = max(peak, now - step.inputs[0].shape.elements() + within)
        new = {memory[value] for value in step.outputs} - alive
        now += sum(value.shape.elements() for value in new)
        if not isinstance(step, CallStep):
            peak = max(peak, now)
        alive |= new
        dead = {value for value in alive if last_use[value] <= i}
        now -= sum(value.shape.elements() for value in dead)
        alive -= dead
    return peak, x in returned
