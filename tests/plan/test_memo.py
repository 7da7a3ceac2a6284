"""Remembering: blocks are traced once, networks are not kept."""

from __future__ import annotations

import gc
import weakref

from efspec.blocks.ffn import FFN
from efspec.plan import Module, map_shape, remembered, trace
from efspec.plan.builder import forget
from efspec.spec.loader import load
from efspec.spec.resolve import resolve


def test_equal_requests_share_a_module() -> None:
    block, shape = FFN(hidden_dim=32, act="gelu"), map_shape(8, 4, 4)
    first = trace(block, shape)
    assert trace(FFN(hidden_dim=32, act="gelu"), shape) is first
    assert trace(block, map_shape(8, 4, 5)) is not first
    forget()
    assert trace(block, shape) is not first


def test_results_stay_with_the_module() -> None:
    calls: list[tuple[Module, int]] = []

    @remembered
    def number(module: Module, more: int) -> int:
        calls.append((module, more))
        return len(calls)

    block, shape = FFN(hidden_dim=32, act="gelu"), map_shape(8, 4, 4)
    module = trace(block, shape)
    assert [number(module, 0), number(module, 0), number(module, 1)] == [1, 1, 2]
    forget()
    assert number(module, 0) == 1
    assert number(trace(block, shape), 0) == 3


def test_a_network_that_was_scored_can_go() -> None:
    import efspec

    plan = resolve(load("v2_s0"))
    efspec.score(plan)
    network = weakref.ref(plan.network)
    del plan
    gc.collect()
    assert network() is None
