"""A table that holds a model: as text, and as a latency source."""

from __future__ import annotations

from pathlib import Path

import pytest

import efspec
from efspec.errors import EfspecError
from efspec.latency import DeviceTable, dump_table, read_table
from efspec.latency.device import Device
from efspec.latency.predict import parts_ns
from efspec.plan import parts
from efspec.plan.key import block_key
from tests.latency.tables import figure, table
from tests.latency.test_predict import model


@pytest.fixture(scope="module")
def shipped() -> DeviceTable:
    return read_table("iphone12")


def test_it_is_read_back_as_it_was(shipped: DeviceTable, tmp_path: Path) -> None:
    (tmp_path / "device.yaml").write_text(dump_table(shipped))
    assert read_table(tmp_path / "device.yaml") == shipped
    small = table({}, network=figure(1000), model=model(), points="points.yaml")
    (tmp_path / "device.yaml").write_text(dump_table(small))
    assert read_table(tmp_path / "device.yaml") == small


def test_a_fitted_latency_is_the_fixed_cost_and_the_parts(shipped: DeviceTable) -> None:
    plan = efspec.resolve(efspec.load("v2_s1"))
    found = Device(shipped)(plan)
    assert shipped.model
    assert shipped.network
    assert found.fixed
    assert {piece.method for piece in found.pieces()} == {"fitted"}
    parts_alone = parts_ns(shipped.model.terms, plan)
    assert sum(piece.ns for piece in found.pieces()) == shipped.network.p50_ns + parts_alone
    low, high = found.range_ms
    interval = shipped.model.interval
    assert low == pytest.approx(found.ms * interval.low, rel=1e-3)
    assert high == pytest.approx(found.ms * interval.high, rel=1e-3)


def test_rows_win_over_the_model(shipped: DeviceTable) -> None:
    plan = efspec.resolve(efspec.load("v2_s1"))
    stem = parts(plan)[0]
    rows = {block_key(plan, stem).text: figure(5000)}
    found = Device(table(rows, network=figure(1000), model=shipped.model))(plan)
    assert (found.blocks[0].ns, found.blocks[0].method) == (5000, "measured")
    assert {block.method for block in found.blocks[1:]} == {"fitted"}


def test_a_model_is_nothing_measured(shipped: DeviceTable) -> None:
    with pytest.raises(EfspecError) as error:
        Device(shipped, strict=True)(efspec.resolve(efspec.load("v2_s1")))
    assert {d.name for d in error.value.diagnostics} == {"missing-latency"}
    assert "no measured latency" in error.value.diagnostics[0].message


def test_what_the_model_never_saw_is_told(shipped: DeviceTable) -> None:
    plan = efspec.resolve(efspec.load("v2_s1", set=["defaults={act: hardswish}"]))
    with pytest.raises(EfspecError) as error:
        Device(shipped)(plan)
    assert {d.name for d in error.value.diagnostics} == {"missing-latency"}
    assert all("hardswish" in d.expected for d in error.value.diagnostics[:-1])
