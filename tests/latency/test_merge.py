"""Tables that are merged: what each part takes, once."""

from __future__ import annotations

import pytest

from efspec.errors import EfspecError
from efspec.latency.merge import merge
from tests.latency.tables import figure, table

SMALL, LARGE = (f"FFN(hidden_dim={8 * n}; act=gelu) @ {n}x8x8" for n in (4, 8))


def test_rows_of_both_are_there() -> None:
    both = merge({"a": table({SMALL: figure(10)}), "b": table({LARGE: figure(20)})}, "both", None)
    assert {key: row.p50_ns for key, row in both.rows.items()} == {SMALL: 10, LARGE: 20}


def test_rows_of_one_that_contradict_the_other_are_told() -> None:
    slow, fast = table({SMALL: figure(500_000)}), table({LARGE: figure(1_000)})
    with pytest.raises(EfspecError) as error:
        merge({"a.yaml": slow, "b.yaml": fast}, "both", None)
    assert {(d.name, d.file) for d in error.value.diagnostics} == {("contradictory-rows", "b.yaml")}


def test_an_order_decides_between_rows() -> None:
    tables = {"a": table({SMALL: figure(10, "fitted")}), "b": table({SMALL: figure(20)})}
    with pytest.raises(EfspecError, match="conflicting-rows"):
        merge(tables, "both", None)
    found = {p: merge(tables, "both", p).rows[SMALL].p50_ns for p in ("first", "last", "measured")}
    assert found == {"first": 10, "last": 20, "measured": 20}
