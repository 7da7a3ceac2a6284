"""`efspec latency`: parts are listed and measured, and tables are merged, shown and asked for."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest

import efspec
from efspec.cli import files
from efspec.cli.latency_measure import table_name
from efspec.latency import runtimes
from efspec.latency.devices import dump_table, read_table
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
