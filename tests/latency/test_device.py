"""Devices as latency sources: what they say of a network, and how they know it."""

from __future__ import annotations

import random
from unittest import mock

import pytest

import efspec
from efspec.cost import count_module
from efspec.errors import EfspecError
from efspec.latency import Device, DeviceTable, hull
from efspec.plan import Plan, parts
from efspec.plan.key import BlockKey, block_key
from tests.latency.tables import figure, table, table_of


def plan(*changes: str) -> Plan:
    return efspec.resolve(efspec.load("v2_s0", set=changes))


def cost(key: BlockKey) -> int:
    """Nanoseconds that rise with every size."""
    product = 1
    for _, size in key.sizes:
        product *= size
    for size in key.input:
        product *= size
    return 1000 + product // 100


def test_exact_rows_add_up_in_any_order() -> None:
    network = plan()
    whole = table_of(network, ns=cost)
    latency = Device(whole)(network)
    expected = [cost(block_key(network, part)) for part in parts(network)]
    assert [block.ns for block in latency.blocks] == expected
    assert [block.path for block in latency.blocks] == [part.path for part in parts(network)]
    assert latency.ms == sum(expected) / 1e6 == sum(random.sample(expected, len(expected))) / 1e6
    assert latency.coverage() == {"measured": 1.0}
    assert latency.range_ms == (latency.ms, latency.ms)
    assert latency.device == "bench"


def test_stages_add_up_to_the_whole_less_the_call() -> None:
    network = plan()
    fixed = {"network": figure(123_456, "fitted", spread=1000)}
    whole = table_of(network, ns=cost).model_copy(update=fixed)
    score = efspec.score(network, latency=Device(whole))
    assert score.latency_fixed_ms == 0.123456
    rows = [round(1e6 * (row.latency_ms or 0)) for row in score.stages]
    blocks = [round(1e6 * (row.latency_ms or 0)) for row in score.blocks]
    assert score.latency_ms == (sum(rows) + 123_456) / 1e6 == (sum(blocks) + 123_456) / 1e6
    assert score.latency_range_ms == ((sum(rows) + 122_456) / 1e6, (sum(rows) + 124_456) / 1e6)
    assert {row.method for row in score.stages} == {"measured"}
    assert score.coverage is not None
    assert sum(score.coverage.values()) == pytest.approx(1)
    assert set(score.coverage) == {"fitted", "measured"}
    mes = 100 * (score.params_folded / 3e6) ** -0.5 / score.latency_ms
    assert score.mes == pytest.approx(mes, rel=1e-12)


def test_between_rows_it_interpolates_and_says_so() -> None:
    narrow, wide = plan("stages.1.width=48"), plan("stages.1.width=64")
    middle = plan("stages.1.width=56")
    device = Device(table_of(narrow, wide, ns=cost))
    latency = device(middle)
    by_path = {block.path: block for block in latency.blocks}
    methods = {path: block.method for path, block in by_path.items()}
    assert methods["stem"] == methods["stages.3.blocks.0"] == "measured"
    for path in ("stages.1.downsample", "stages.1.blocks.0", "stages.2.downsample"):
        low, high = ({b.path: b for b in device(p).blocks}[path].ns for p in (narrow, wide))
        block = by_path[path]
        assert block.method == "interpolated"
        assert low < block.ns < high
        assert (block.low_ns, block.high_ns) == (low, high)
    score = efspec.score(middle, latency=device)
    assert [row.method for row in score.stages][2:4] == ["interpolated", "mixed"]
    assert set(score.coverage or {}) == {"measured", "interpolated"}


@pytest.mark.parametrize(
    "change",
    ["stages.1.width=72", "stages.1.width=40", "stages.1.blocks.0.expansion_ratio=5"],
)
def test_outside_of_what_is_measured_nothing_is_said(change: str) -> None:
    device = Device(table_of(plan(), plan("stages.1.width=64"), ns=cost))
    with pytest.raises(EfspecError) as error:
        device(plan(change))
    assert {d.name for d in error.value.diagnostics} == {"missing-latency"}
    assert all(d.expected.startswith("the nearest row is ") for d in error.value.diagnostics)


def test_expansion_and_resolution_are_axes() -> None:
    ratio = "stages.0.blocks.0.expansion_ratio"
    device = Device(table_of(plan(f"{ratio}=3"), plan(f"{ratio}=4"), ns=cost))
    between = {block.path: block for block in device(plan(f"{ratio}=3.5")).blocks}
    assert between["stages.0.blocks.0"].method == "interpolated"
    sizes = Device(table_of(plan("input.size=224"), plan("input.size=288"), ns=cost))
    assert set(sizes(plan("input.size=256")).coverage()) == {"interpolated"}


def test_other_options_are_never_mixed() -> None:
    device = Device(table_of(plan(), ns=cost))
    with pytest.raises(EfspecError) as error:
        device(plan("defaults.act=relu"))
    told = error.value.diagnostics
    assert all("have other options" in d.expected for d in told if "FFN" in d.message)


def test_strict_takes_what_was_measured() -> None:
    narrow, wide = plan("stages.1.width=48"), plan("stages.1.width=64")
    whole = table_of(narrow, wide, ns=cost)
    assert Device(whole, strict=True)(narrow).coverage() == {"measured": 1.0}
    with pytest.raises(EfspecError, match="no measured latency"):
        Device(whole, strict=True)(plan("stages.1.width=56"))
    key = next(iter(whole.rows))
    apportioned = {**whole.rows, key: figure(cost(next(iter(whole.figures))), "apportioned")}
    with pytest.raises(EfspecError, match="no measured latency"):
        Device(table(apportioned), strict=True)(wide if "64" in key else narrow)


def test_a_range_holds_all_ends_at_once() -> None:
    network = plan()
    rows = {text: figure(5000, spread=500) for text in table_of(network, ns=cost).rows}
    latency = Device(table(rows))(network)
    count = len(parts(network))
    assert latency.range_ms == (count * 4500 / 1e6, count * 5500 / 1e6)


def test_a_part_is_looked_up_once_for_all_networks() -> None:
    narrow, wide = plan("stages.1.width=48"), plan("stages.1.width=64")
    device = Device(table_of(narrow, wide, ns=cost))
    device(plan("stages.1.width=56"))
    with mock.patch.object(hull, "between", side_effect=AssertionError("looked up again")):
        device(plan("stages.1.width=56", "name=another"))


def test_many_missing_parts_are_counted() -> None:
    empty: DeviceTable = table({})
    with pytest.raises(EfspecError) as error:
        Device(empty)(efspec.resolve(efspec.load("v2_l")))
    assert len(error.value.diagnostics) == 11
    assert "more kinds of parts have no latency" in error.value.diagnostics[-1].message


def test_what_no_device_can_do_is_told() -> None:
    network = plan()
    rows = {text: figure(1) for text in table_of(network, ns=cost).rows}
    with pytest.raises(EfspecError, match="impossible-latency"):
        Device(table(rows))(network)
    slowest = max(count_module(part.module).macs for part in parts(network) if part.module)
    rows = {text: figure(slowest // 10**6 + 1) for text in rows}
    assert Device(table(rows))(network).ms > 0
