"""State dicts of random values, and whether two are the same."""

from __future__ import annotations

import torch
from torch import Tensor

from efspec.plan import Plan

State = dict[str, Tensor]


def random_state(plan: Plan, dtype: torch.dtype) -> State:
    """Weights of order one, and counters that differ."""
    generator = torch.Generator().manual_seed(0)
    state = {
        key: torch.randn(shape, generator=generator, dtype=torch.float32).to(dtype)
        for key, shape in plan.parameters().items()
    }
    for key, shape in plan.buffers().items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.randint(2**40, shape, generator=generator)
        else:
            state[key] = torch.rand(shape, generator=generator).to(dtype)
    return state


def assert_same_bits(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert found[key].shape == tensor.shape, key
        one, other = (t.reshape(-1).view(torch.uint8) for t in (found[key], tensor))
        assert torch.equal(one, other), key
