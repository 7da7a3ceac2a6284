"""How much memory activations take at most."""

from __future__ import annotations

from efspec.plan import Plan

BYTES_PER_ELEMENT = 2
"""Half precision, which phones compute in."""


def peak_activation_bytes(plan: Plan) -> int:
    """Bytes of the activations alive at the worst moment, for one image in half precision.

    The plan is taken as written, op by op. At each op its inputs, all values that a later op or
    the caller still needs, and its result are alive. A view shares the memory of what it views,
    which is counted once.
    """
    ops = plan.ops()
    storage = {0: 0}  # value to the value whose memory it shares
    size = {0: plan.network.inputs[0].shape.elements()}
    last_use = {0: -1}
    for i, placed in enumerate(ops):
        for number, shape in zip(placed.outputs, placed.output_shapes, strict=True):
            storage[number] = storage[placed.inputs[0]] if placed.op.is_view else number
            size.setdefault(storage[number], shape.elements())
        for number in placed.inputs:
            last_use[storage[number]] = i
    for number in plan.outputs():
        last_use[storage[number]] = len(ops)

    freed: dict[int, list[int]] = {}
    for memory, moment in last_use.items():
        freed.setdefault(moment, []).append(memory)
    alive, peak = size[0], size[0]
    for i, placed in enumerate(ops):
        alive += sum(size[n] for n in placed.outputs if storage[n] == n)
        peak = max(peak, alive)
        alive -= sum(size[memory] for memory in freed.get(i, ()))
    return peak * BYTES_PER_ELEMENT
