"""`efspec latency merge` and `show`: tables become one, and are told and plotted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import efspec
from efspec.latency.devices import dump_table, read_table
from efspec.latency.table import DeviceTable
from tests.cli.conftest import Run
from tests.latency.tables import PROTOCOL, figure, table_of


@pytest.mark.parametrize(
    ("prefer", "row"),
    [("first", (500, "fitted")), ("last", (300, "fitted")), ("measured", (400, "measured"))],
)
def test_merge_takes_what_is_preferred(
    run: Run, tmp_path: Path, prefer: str, row: tuple[int, str]
) -> None:
    key, other = (f"FFN(hidden_dim={n}; act=gelu) @ 4x8x8" for n in (4, 8))
    rows = [{key: figure(500, "fitted")}, {key: figure(400)}, {key: figure(300, "fitted")}]
    rows[1][other] = figure(900)
    for number, one in enumerate(rows):
        table = DeviceTable(efspec=1, name="one", protocol=PROTOCOL, rows=one)
        (tmp_path / f"{number}.yaml").write_text(dump_table(table))
    files_ = [f"{number}.yaml" for number in range(3)]
    assert run("latency", "merge", *files_, "-o", "all.yaml").code == 1
    assert not (tmp_path / "all.yaml").exists()
    result = run("latency", "merge", *files_, "-o", "all.yaml", "--prefer", prefer)
    assert (result.code, result.out) == (0, "")
    merged = read_table(tmp_path / "all.yaml")
    assert (merged.rows[key].p50_ns, merged.rows[key].method) == row
    assert merged.rows[other].p50_ns == 900
    assert merged.name == "all"


def test_merging_a_table_with_itself_changes_nothing(run: Run, tiny: Path, tmp_path: Path) -> None:
    table = table_of(efspec.resolve(efspec.load(tiny)), ns=lambda key: 7)
    (tmp_path / "bench.yaml").write_text(dump_table(table))
    assert run("latency", "merge", "bench.yaml", "bench.yaml", "-o", "-").out == dump_table(table)


def test_show_tells_every_row(run: Run, tiny: Path, tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load(tiny))
    table = table_of(plan, ns=lambda key: 1_234_567).model_copy(update={"network": figure(5000)})
    (tmp_path / "t.yaml").write_text(dump_table(table))
    shown = run("latency", "show", "t.yaml").out
    assert shown.startswith("bench: A bench, Linux, torch, cpu, fp32, batch 1\n")
    assert all(key in shown for key in table.rows)
    assert "network" in shown
    assert "0.005" in shown
    as_json = json.loads(run("latency", "show", "t.yaml", "--json").out)
    assert DeviceTable.model_validate(as_json) == table


def test_show_tells_how_a_model_compares_with_networks(run: Run) -> None:
    shown = run("latency", "show", "iphone12").out
    model = read_table("iphone12").model
    assert model
    for one in (*model.residuals, *model.checks):
        assert one.network in shown
    assert f"median error {model.held_out[0].median:.1%}" in shown
    assert all(f"open: {sentence}" in shown for sentence in model.undetermined)


def test_merge_keeps_one_cost_model(run: Run, tmp_path: Path) -> None:
    fitted = read_table("iphone12")
    assert fitted.model
    key = "FFN(hidden_dim=4; act=gelu) @ 4x8x8"
    rows = DeviceTable(efspec=1, name="rows", protocol=fitted.protocol, rows={key: figure(400)})
    (tmp_path / "rows.yaml").write_text(dump_table(rows))
    assert run("latency", "merge", "rows.yaml", "iphone12", "-o", "all.yaml").code == 0
    merged = read_table(tmp_path / "all.yaml")
    assert (merged.model, merged.rows) == (fitted.model, rows.rows)
    other = fitted.model.model_copy(update={"undetermined": ()})
    (tmp_path / "b.yaml").write_text(dump_table(fitted.model_copy(update={"model": other})))
    result = run("latency", "merge", "iphone12", "b.yaml", "-o", "all.yaml")
    assert result.code == 1
    assert "error[conflicting-rows]: model: " in result.err
    for prefer, model in (("first", fitted.model), ("last", other)):
        run("latency", "merge", "iphone12", "b.yaml", "-o", "all.yaml", "--prefer", prefer)
        assert read_table(tmp_path / "all.yaml").model == model


@pytest.mark.parametrize("form", ["svg", "png"])
def test_show_plots_width_and_resolution(run: Run, tmp_path: Path, form: str) -> None:
    rows = {
        f"FFN(hidden_dim={4 * width}; act=gelu) @ {width}x{side}x{side}": figure(
            width * side * side, spread=width
        )
        for width in (32, 48, 64)
        for side in (14, 28)
    }
    table = DeviceTable(efspec=1, name="one", protocol=PROTOCOL, rows=rows)
    (tmp_path / "t.yaml").write_text(dump_table(table))
    assert run("latency", "show", "t.yaml", "--plot", f"plot.{form}").code == 0
    plot = tmp_path / f"plot.{form}"
    if form == "png":
        with Image.open(plot) as image:
            assert image.size[0] > 500
        return
    text = plot.read_text()
    assert all(word in text for word in ("FFN", "14x14, ratio 4", "28x28, ratio 4", "channels"))
    first = plot.read_bytes()
    run("latency", "show", "t.yaml", "--plot", f"plot.{form}")
    assert plot.read_bytes() == first
