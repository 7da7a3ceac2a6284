"""How much memory activations take at most."""

from __future__ import annotations

from efspec.plan import CallStep, Module, Value, remembered

BYTES_PER_ELEMENT = 2
"""Half precision, which phones compute in."""


def bytes_of(elements: int) -> int:
    """Bytes of so many numbers of activations."""
    return elements * BYTES_PER_ELEMENT


def peak_elements(module: Module) -> int:
    """Numbers alive at a module's worst moment, for one image.

    The module is taken as written, op by op. At each op its inputs, all values that a later op or
    the caller still needs, and its result are alive. A view shares the memory of what it views,
    which is counted once.
    """
    return _peak(module, False)


@remembered
def _peak(module: Module, held: bool) -> int:
    """Elements alive at a module's worst moment.

    Args:
        module: The module.
        held: Whether the caller needs the input's memory afterwards.
    """
    (x,) = module.inputs
    memory = _memory(module)
    end = len(module.steps)
    last_use = dict.fromkeys(memory.values(), 0)
    for i, step in enumerate(module.steps):
        for value in (*step.inputs, *step.outputs):
            last_use[memory[value]] = i
    for value in module.outputs:
        last_use[memory[value]] = end
    if held:
        last_use[x] = end
    freed = [0] * (end + 1)
    for value, i in last_use.items():
        freed[i] += value.shape.elements()

    now = peak = x.shape.elements()
    for i, step in enumerate(module.steps):
        made = sum(value.shape.elements() for value in step.outputs if memory[value] is value)
        if isinstance(step, CallStep):
            source = step.inputs[0]
            within = _peak(step.module, last_use[memory[source]] > i)
            peak = max(peak, now - source.shape.elements() + within)
        else:
            peak = max(peak, now + made)
        now += made - freed[i]
    return peak


def _memory(module: Module) -> dict[Value, Value]:
    """For each value of a module, the value whose memory it is in: itself, unless it is a view."""
    (x,) = module.inputs
    memory = {x: x}
    for step in module.steps:
        is_view = _is_view(step.module) if isinstance(step, CallStep) else step.op.is_view
        for value in step.outputs:
            memory[value] = memory[step.inputs[0]] if is_view else value
    return memory


@remembered
def _is_view(module: Module) -> bool:
    """Whether a module returns its input's memory."""
    memory = _memory(module)
    return module.inputs[0] in (memory[value] for value in module.outputs)
