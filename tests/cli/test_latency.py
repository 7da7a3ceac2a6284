"""`efspec latency`: parts are listed and measured, and tables are merged, shown and asked for."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock
from unittest.mock import ANY

import pytest
import yaml
from PIL import Image

import efspec
from efspec import resources
from efspec.cli import files
from efspec.cli.latency_measure import table_name
from efspec.latency import runtimes
from efspec.latency.devices import dump_table, read_table
from efspec.latency.packages import COPIES
from efspec.latency.probe import wanted
from efspec.latency.table import DeviceTable
from efspec.plan import parts
from efspec.plan.key import block_key, parse_key
from tests.cli.conftest import Run
from tests.latency.tables import PROTOCOL, figure, table_of
from tests.latency.test_measure import Machine

MEASURE = ("latency", "measure", "tiny.yaml", "-o", "host.yaml", "--runtime", "torch")


def measured_on(machine: Machine) -> Any:
    """Has `measure` run on a machine of which it is known what it takes."""

    class Running:
        def __enter__(self) -> Any:
            return machine.runner

        def __exit__(self, *error: object) -> None:
            """Nothing is to be undone."""

    return mock.patch.object(runtimes, "runner", return_value=Running())


def keys_of(file: Path) -> set[str]:
    plan = efspec.resolve(efspec.load(file))
    return {block_key(plan, part).text for part in parts(plan)}


def test_list_tells_each_part_once(run: Run, tiny: Path) -> None:
    listed = json.loads(run("latency", "list", "tiny.yaml", "--json").out)
    assert {one["key"] for one in listed} == keys_of(tiny)
    assert all(parse_key(one["key"]) for one in listed)
    twice = json.loads(run("latency", "list", "tiny.yaml", "tiny.yaml", "--json").out)
    assert [(one["key"], 2 * one["count"]) for one in listed] == [
        (one["key"], one["count"]) for one in twice
    ]
    for one in listed:
        assert one["key"] in run("latency", "list", "tiny.yaml").out


def test_list_tells_what_a_device_knows(run: Run, tiny: Path, tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load(tiny))
    table = table_of(plan, ns=lambda key: 1_250_000)
    (ffn,) = [text for text in table.rows if text.startswith("FFN")]
    rows = {text: row for text, row in table.rows.items() if text != ffn}
    fitted = {text: figure(10, "fitted") for text in rows if text.startswith("Head")}
    (tmp_path / "t.yaml").write_text(dump_table(table.model_copy(update={"rows": rows | fitted})))
    command = ("latency", "list", "tiny.yaml", "--device", "t.yaml", "--json")
    known = {one["key"]: one for one in json.loads(run(*command).out)}
    assert (known[ffn]["method"], known[ffn]["p50_ns"]) == (None, None)
    methods = {one["method"] for key, one in known.items() if key != ffn}
    assert methods == {"measured", "fitted"}
    strict = {one["key"]: one["method"] for one in json.loads(run(*command, "--strict").out)}
    assert [key for key, method in strict.items() if method is None] == [ffn, *fitted]
    shown = run("latency", "list", "tiny.yaml", "--device", "t.yaml").out
    assert "5 kinds of parts, 1 of them missing" in shown
    assert "1.250  measured" in shown


def test_a_space_is_listed_with_all_parts_of_its_members(run: Run) -> None:
    listed = json.loads(run("latency", "list", "v2", "--json").out)
    keys = {one["key"] for one in listed}
    assert all(one["count"] is None for one in listed)
    for name in ("v2_s0", "v2_s1", "v2_s2", "v2_l"):
        plan = efspec.resolve(efspec.load(name))
        assert {block_key(plan, part).text for part in parts(plan)} <= keys
    refused = run("latency", "list", "v2", "--size", "256")
    assert (refused.code, refused.out) == (2, "")


def test_a_fitted_device_knows_parts_without_rows(run: Run) -> None:
    listed = json.loads(run("latency", "list", "v2_s0", "--device", "iphone12", "--json").out)
    assert {one["method"] for one in listed} == {"fitted"}
    result = run("latency", "probes", "iphone12", "v2_s0", "-o", "probes")
    assert (result.code, result.out) == (0, "")
    assert "knows all of these parts" in result.err


def test_measure_writes_a_table_that_scores(run: Run, tiny: Path, tmp_path: Path) -> None:
    with measured_on(Machine()):
        result = run(*MEASURE)
    assert (result.code, result.err) == (0, "")
    table = read_table(tmp_path / "host.yaml")
    assert table.rows.keys() == keys_of(tiny)
    assert table.name == "host"
    assert table.protocol == PROTOCOL
    scored = json.loads(run("score", "tiny.yaml", "--device", "host.yaml", "--json").out)
    assert scored["coverage"] == {"differenced": 1}


def test_measure_goes_on_where_it_was(run: Run, tiny: Path, tmp_path: Path) -> None:
    machine = Machine()
    with measured_on(machine):
        run(*MEASURE)
        before = (tmp_path / "host.yaml").read_text()
        loaded = len(machine.loaded)
        again = run(*MEASURE)
        assert len(machine.loaded) == loaded
        assert "0 kinds of parts measured, 5 there before" in again.out
        assert (tmp_path / "host.yaml").read_text() == before
        assert "5 kinds of parts measured" in run(*MEASURE, "--again").out
        more = run(*MEASURE, "--set", "stages.1.width=24", "--json")
    table = read_table(tmp_path / "host.yaml")
    new = {one["key"] for one in json.loads(more.out)["parts"]}
    assert new | keys_of(tiny) == table.rows.keys()
    assert not new & keys_of(tiny)


def test_rows_that_are_not_measured_are_measured(run: Run, tiny: Path, tmp_path: Path) -> None:
    rows = {key: figure(5, "fitted") for key in keys_of(tiny)}
    table = DeviceTable(efspec=1, name="host", protocol=PROTOCOL, rows=rows)
    (tmp_path / "host.yaml").write_text(dump_table(table))
    with measured_on(Machine()):
        assert run(*MEASURE).code == 0
    found = read_table(tmp_path / "host.yaml").rows
    assert {row.method for row in found.values()} == {"differenced"}


def test_what_kills_it_leaves_a_sound_table(run: Run, tiny: Path, tmp_path: Path) -> None:
    with measured_on(Machine()):
        run(*MEASURE, "--seed", "3")
        whole = read_table(tmp_path / "host.yaml")
        (tmp_path / "host.yaml").unlink()
    writes = 0

    class KilledError(Exception):
        """What nobody catches."""

    def replaced(target: Path) -> Any:
        nonlocal writes
        writes += 1
        if writes == 4:
            raise KilledError
        return original(target)

    original = files.replaced
    one = (*MEASURE, "--seed", "3", "--together", "1")
    killed = mock.patch.object(files, "replaced", replaced)
    with measured_on(Machine()), killed, pytest.raises(KilledError):
        run(*one)
    left = read_table(tmp_path / "host.yaml")
    assert len(left.rows) == 3
    with measured_on(Machine()):
        assert "2 kinds of parts measured, 3 there before" in run(*one).out
    assert read_table(tmp_path / "host.yaml").rows == whole.rows
    assert {path.name for path in tmp_path.iterdir()} == {"host.yaml", "tiny.yaml"}


def test_what_is_in_doubt_is_told_and_not_written(run: Run, tiny: Path, tmp_path: Path) -> None:
    random = Random(0)
    command = (*MEASURE, "--rounds", "4", "--json")
    with measured_on(Machine(lambda call: random.uniform(0.5, 1.5))):
        result = run(*command)
        assert result.code == 3
        doubtful = {one["key"] for one in json.loads(result.out)["parts"] if not one["written"]}
        assert doubtful
        assert all(f"note: {key}: not written: " in result.err for key in doubtful)
        assert not doubtful & read_table(tmp_path / "host.yaml").rows.keys()
        kept = run(*command, "--keep-doubtful")
    assert kept.code == 3
    rows = read_table(tmp_path / "host.yaml").rows
    assert rows.keys() == keys_of(tiny)
    told = {one["key"] for one in json.loads(kept.out)["parts"] if one["doubts"]}
    assert all(f"note: {key}: written all the same: " in kept.err for key in told)


def test_another_speed_than_before_is_told(run: Run, tiny: Path) -> None:
    with measured_on(Machine()):
        run(*MEASURE)
    with measured_on(Machine(lambda call: 1.5)):
        result = run(*MEASURE, "--set", "stages.1.width=24")
    assert "takes +50% against the table's row" in result.err


def test_another_protocol_is_refused(run: Run, tiny: Path, tmp_path: Path) -> None:
    with measured_on(Machine()):
        run(*MEASURE)
    result = run(*MEASURE)  # on this machine, which is none of the tests' making
    assert result.code == 1
    assert "error[other-protocol]: protocol.device: 'A bench' here" in result.err


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_this_machine_is_measured(run: Run, tiny: Path, tmp_path: Path, runtime: str) -> None:
    command = ("latency", "measure", "tiny.yaml", "-o", "host.yaml", "--rounds", "4")
    result = run(*command, "--runtime", runtime, "--keep-doubtful", "--json")
    assert result.code in (0, 3)  # a busy machine may be doubted
    assert {one["key"] for one in json.loads(result.out)["parts"]} == keys_of(tiny)
    assert run("score", "tiny.yaml", "--device", "host.yaml", "--strict").code == 0


def test_names_of_tables_follow_from_their_files() -> None:
    assert table_name(Path("a/My Laptop (2).yaml")) == "my-laptop--2"
    assert table_name(Path("___.yaml")) == "device"


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


def test_probes_are_packages_with_a_manifest(run: Run, tiny: Path, tmp_path: Path) -> None:
    plan = efspec.resolve(efspec.load(tiny))
    table = table_of(plan, ns=lambda key: 7)
    missing = [text for text in table.rows if text.startswith(("FFN", "Downsample"))]
    rows = {text: row for text, row in table.rows.items() if text not in missing}
    (tmp_path / "t.yaml").write_text(dump_table(table.model_copy(update={"rows": rows})))
    assert run("latency", "probes", "t.yaml", "tiny.yaml", "-o", "probes").code == 0
    manifest = json.loads((tmp_path / "probes/manifest.json").read_text())
    assert (manifest["efspec"], manifest["device"]) == (1, "bench")
    packages = manifest["packages"]
    assert {(one["key"], one["copies"]) for one in packages} == {
        (text, copies) for text in missing for copies in COPIES
    }
    kinds = {one["key"].partition("(")[0]: one["kind"] for one in packages}
    assert kinds == {"FFN": "chain", "Downsample": "parallel"}
    found = {path.name for path in (tmp_path / "probes").iterdir()}
    assert found == {one["file"] for one in packages} | {"manifest.json", "GUIDE.md"}
    guide = (tmp_path / "probes/GUIDE.md").read_text()
    assert packages[0]["file"] in guide
    assert "efspec latency import" in guide
    convolutions = {one["copies"]: _ops(tmp_path / "probes" / one["file"]) for one in packages[:3]}
    assert [convolutions[copies] for copies in COPIES] == [
        copies * convolutions[1] for copies in COPIES
    ]


def _ops(package: Path) -> int:
    """How many convolutions a package holds."""
    import coremltools as ct

    program = ct.utils.load_spec(str(package)).mlProgram
    (block,) = program.functions["main"].block_specializations.values()
    return sum(op.type == "conv" for op in block.operations)


def test_probes_for_a_new_device_are_of_all_parts(run: Run, tmp_path: Path) -> None:
    changes = ["head={type: features, stages: [3], norm: none}", "input.size=32"]
    sets = [word for change in changes for word in ("--set", change)]
    result = run("latency", "probes", "new.yaml", "v1_l1", *sets, "-o", "probes")
    assert result.code == 0
    plan = efspec.resolve(efspec.load("v1_l1", set=changes))
    manifest = json.loads((tmp_path / "probes/manifest.json").read_text())
    conversions = {key.text for key, one in wanted([plan]).items() if len(one.probe.terms) > 1}
    assert {one["key"] for one in manifest["packages"]} | conversions == {
        key.text for key in wanted([plan])
    }
    assert conversions
    assert all(f"note: {key}: no package can measure it" in result.err for key in conversions)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["measure", "v2_s0"],
        ["measure", "v2_s0", "-o", "t.yaml"],
        ["measure", "v2_s0", "-o", "-", "--runtime", "torch"],
        ["measure", "v2_s0", "-o", "t.yaml", "--runtime", "tensorflow"],
        ["measure", "v2_s0", "-o", "t.yaml", "--runtime", "torch", "--rounds", "1"],
        ["merge", "t.yaml"],
        ["merge", "t.yaml", "-o", "-", "--prefer", "best"],
        ["show"],
        ["show", "t.yaml", "--plot", "plot.pdf"],
        ["probes", "new.yaml", "v2_s0"],
        ["probes", "new.yaml", "v2_s0", "-o", "-"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    result = run("latency", *arguments)
    assert (result.code, result.out) == (2, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "nope"],
        ["list", "v2_s0", "--device", "nope"],
        ["measure", "nope", "-o", "t.yaml", "--runtime", "torch"],
        ["probes", "nope", "v2_s0", "-o", "probes"],
        ["merge", "nope.yaml", "-o", "-"],
        ["show", "nope"],
    ],
    ids=" ".join,
)
def test_wrong_input_exits_1(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    result = run("latency", *arguments)
    assert (result.code, result.out) == (1, "")
    assert "error[no-such-" in result.err
    assert not list(tmp_path.iterdir())


def test_help_of_all(run: Run) -> None:
    for command in ("list", "measure", "probes", "merge", "show"):
        result = run("latency", command, "--help")
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"Usage: efspec latency {command} [OPTIONS]")


POINTS = resources.folder("specs") / "devices" / "iphone12-points.yaml"


def test_fit_gives_the_shipped_device(run: Run, tmp_path: Path) -> None:
    result = run("latency", "fit", POINTS, "-o", "fitted.yaml", "--rows", "v2_s0")
    assert result.code == 0
    assert result.out.startswith("iphone12: 13 networks, ")
    assert "unseen at 224: median error" in result.out
    fitted, shipped = read_table(tmp_path / "fitted.yaml"), read_table("iphone12")
    assert (fitted.model, fitted.network) == (shipped.model, shipped.network)
    plan = efspec.resolve(efspec.load("v2_s0"))
    assert set(fitted.figures) == {block_key(plan, part) for part in parts(plan)}
    assert {one.method for one in fitted.rows.values()} == {"fitted"}
    own = json.loads(run("score", "v2_s0", "--device", "fitted.yaml", "--json").out)
    known = json.loads(run("score", "v2_s0", "--device", "iphone12", "--json").out)
    assert own["latency_ms"] == known["latency_ms"]


def test_fit_prints_json_or_a_table(run: Run) -> None:
    report = json.loads(run("latency", "fit", POINTS, "--json").out)
    assert report["name"] == "iphone12"
    text = run("latency", "fit", POINTS, "-o", "-").out
    assert yaml.safe_load(text)["model"] == report["model"] | {"terms": ANY}
    assert run("latency", "fit", POINTS, "--rows", "v2_s0").code == 2


def test_scores_beyond_a_model_say_so(run: Run) -> None:
    assert run("score", "v2_s0", "--device", "iphone12").err == ""
    larger = run("score", "v2_s0", "--size", "640", "--device", "iphone12")
    assert larger.code == 0
    expected = "note: beyond what the model of iphone12 was fitted to: an image of 640x640"
    assert larger.err.startswith(expected)
