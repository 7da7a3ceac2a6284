"""Remembering: blocks are traced once, networks are not kept."""

from __future__ import annotations

import gc
import weakref

from efspec.blocks.ffn import FFN
from efspec.plan import map_shape, remembered, trace
from efspec.plan.memo import forget
from efspec.spec.loader import load
from efspec.spec.resolve import resolve


def test_equal_requests_share_a_module() -> None:
    block, shape = FFN(hidden_dim=32, act="gelu"), map_shape(8, 4, 4)
    first = trace(block, shape)
    assert trace(FFN(hidden_dim=32, act="gelu"), shape) is first
    assert trace(block, map_shape(8, 4, 5)) is not first
    forget()
    assert trace(block, shape) is not first


def test_results_for_what_is_inline_are_not_kept() -> None:
    calls: list[int] = []

    class Subject:
        inline = True

    @remembered
    def count(subject: Subject) -> int:
        calls.append(id(subject))
        return len(calls)

    subject = Subject()
    assert [count(subject), count(subject)] == [1, 2]
    subject.inline = False
    assert [count(subject), count(subject)] == [3, 3]


def test_a_network_that_was_scored_can_go() -> None:
    import efspec

    plan = resolve(load("v2_s0"))
    efspec.score(plan)
    network = weakref.ref(plan.network)
    del plan
    gc.collect()
    assert network() is None
