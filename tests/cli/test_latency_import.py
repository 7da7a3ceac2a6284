"""`efspec latency import`: from files of other tools to a table that `score` takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from efspec.latency import read_table
from efspec.latency.mac_script import main as script_main
from efspec.plan import parts
from efspec.plan.key import block_key
from efspec.spec.loader import load
from efspec.spec.resolve import resolve
from efspec.verify import read_package
from tests.cli.conftest import Run
from tests.latency.test_profiles import SAMPLES

PROTOCOL = (
    "--device-name",
    "iPhone 12",
    "--os",
    "iOS 16.1",
    "--unit",
    "all",
    "--precision",
    "fp16",
)
TOTAL_NS = 1_010_000


@pytest.fixture
def package(run: Run, tiny: Path) -> Path:
    """The small network's package."""
    assert run("build", tiny, "-t", "coreml", "-o", "build").code == 0
    return tiny.parent / "build" / "tiny.mlpackage"


def profile(package: Path, file: Path, *, about: bool = True) -> Path:
    """A profile such as the script writes, in which each op takes as long as any other."""
    found = read_package(package)
    written = json.loads((SAMPLES / "script.json").read_text())
    written["metadata"] = dict(found.metadata) if about else {}
    written["ops"] = [
        {"name": op.outputs[0].name, "weight": 1 / 64, "unit": "cpu" if i % 4 else "ane"}
        for i, op in enumerate(found.program.operations)
    ]
    file.write_text(json.dumps(written))
    return file


def sum_of_parts(table: Path, spec: Path) -> int:
    rows = read_table(table).rows
    plan = resolve(load(spec))
    return sum(rows[block_key(plan, part).text].p50_ns for part in parts(plan))


def test_a_profile_alone_is_enough(run: Run, tiny: Path, package: Path, tmp_path: Path) -> None:
    profile(package, tmp_path / "tiny.json")
    result = run("latency", "import", "tiny.json", "-o", "mac.yaml")
    assert result.code == 0
    assert "mac: 5 kinds of parts from tiny.json" in result.out
    assert "ran on cpu 7" in result.out
    assert "loading takes 31.0 ms" in result.err
    table = read_table(tmp_path / "mac.yaml")
    assert table.protocol.device == "Apple M3 Pro"
    assert {figure.method for figure in table.rows.values()} == {"apportioned"}
    assert abs(sum_of_parts(tmp_path / "mac.yaml", tiny) - TOTAL_NS) <= len(table.rows)
    scored = json.loads(run("score", tiny, "--device", "mac.yaml", "--json").out)
    assert scored["latency_ms"] == pytest.approx(TOTAL_NS / 1e6, abs=1e-5)
    assert run("score", tiny, "--device", "mac.yaml", "--strict").code == 1


def test_names_alone_say_the_same_as_the_package(
    run: Run, tiny: Path, package: Path, tmp_path: Path
) -> None:
    profile(package, tmp_path / "full.json")
    profile(package, tmp_path / "bare.json", about=False)
    assert run("latency", "import", "full.json", "-o", "a.yaml").code == 0
    assert run("latency", "import", "bare.json", "--spec", tiny, "-o", "b.yaml").code == 0
    result = run("latency", "import", "bare.json", "--package", package, "-o", "c.yaml")
    assert result.code == 0
    rows = [read_table(tmp_path / f"{name}.yaml").rows for name in "abc"]
    assert rows[0] == rows[1] == rows[2]


def test_shares_of_one_file_and_time_of_another(run: Run, tiny: Path) -> None:
    shutil.copy(SAMPLES / "analytics.mil", "analytics.mil")
    shutil.copy(SAMPLES / "coreml_cli.json", "cli.json")
    arguments = ("latency", "import", "analytics.mil", "--spec", tiny, *PROTOCOL, "--json")
    both = json.loads(run(*arguments, "cli.json", "-o", "a.yaml").out)
    said = json.loads(run(*arguments, "--total-ms", "1.02", "-o", "b.yaml").out)
    assert both["parts"] == said["parts"]
    assert [part["p50_ns"] for part in both["parts"]] == [1_020_000]
    assert both["units"] == {"ane": 0.75, "cpu": 0.25}
    assert any("no op of stages.0.blocks.0" in note for note in both["notes"])
    alone = run(*arguments, "-o", "c.yaml")
    assert (alone.code, "error[no-total]" in alone.err) == (1, True)


def test_tables_are_extended_and_never_changed_silently(
    run: Run, tiny: Path, package: Path, tmp_path: Path
) -> None:
    file = profile(package, tmp_path / "tiny.json")
    arguments = ("latency", "import", "tiny.json", "-o", "mac.yaml")
    assert run(*arguments).code == 0
    before = (tmp_path / "mac.yaml").read_text()
    assert run(*arguments).code == 0
    assert (tmp_path / "mac.yaml").read_text() == before
    file.write_text(file.read_text().replace("1010000", "3010000"))
    conflict = run(*arguments)
    assert (conflict.code, "error[conflicting-rows]" in conflict.err) == (1, True)
    other = run(*arguments, "--os", "macOS 16")
    assert (other.code, "error[other-protocol]" in other.err) == (1, True)
    assert (tmp_path / "mac.yaml").read_text() == before
    assert run(*arguments, "--prefer", "last").code == 0
    assert (tmp_path / "mac.yaml").read_text() != before
    grown = tiny.read_text().replace(
        "repeat: 2, expansion_ratio: 2", "repeat: 2, expansion_ratio: 4"
    )
    (tmp_path / "wide.yaml").write_text(grown)
    assert run("build", "wide.yaml", "-t", "coreml", "-o", "wide").code == 0
    wide = next((tmp_path / "wide").glob("*.mlpackage"))
    profile(wide, tmp_path / "wide.json")
    again = run("latency", "import", "wide.json", "-o", "mac.yaml", "--prefer", "first")
    assert again.code == 0
    assert len(read_table(tmp_path / "mac.yaml").rows) == 6


def test_a_table_says_what_the_files_do_not(run: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prediction,1 ms\nname,share\nstem_act,1\n")
    arguments = ("latency", "import", "t.csv", "--spec", tiny, "-o", "t.yaml")
    missing = run(*arguments)
    assert missing.code == 1
    assert missing.err.count("error[missing-protocol]") == 4
    assert run(*arguments, *PROTOCOL).code == 0
    assert run(*arguments).code == 0


def test_times_of_probes(run: Run, tmp_path: Path) -> None:
    for name in ("manifest.json", "times.csv"):
        shutil.copy(SAMPLES / "probes" / name, name)
    result = run("latency", "import", "times.csv", "--precision", "fp16", "-o", "phone.yaml")
    assert result.code == 0
    assert "off the line by +21%" in result.err
    assert "fewer than two of its packages are timed" in result.err
    table = read_table(tmp_path / "phone.yaml")
    assert {figure.p50_ns for figure in table.rows.values()} == {50_000, 100_000}
    assert table.network is not None
    assert table.network.p50_ns == 250_000
    (tmp_path / "times.csv").rename(tmp_path / "other.csv")
    (tmp_path / "manifest.json").rename(tmp_path / "list.json")
    arguments = ("latency", "import", "other.csv", "--precision", "fp16", "-o", "phone.yaml")
    assert run(*arguments).code == 1
    assert run(*arguments, "--manifest", "list.json").code == 0


def test_too_much_of_no_part_is_refused_unless_allowed(run: Run, tiny: Path) -> None:
    Path("t.csv").write_text("prediction,1 ms\nname,share\nstem_act,96%\nfoo,4%\n")
    arguments = ("latency", "import", "t.csv", "--spec", tiny, *PROTOCOL, "-o", "t.yaml")
    assert "error[unmapped-ops]" in run(*arguments).err
    assert not Path("t.yaml").exists()
    allowed = run(*arguments, "--allow-unmapped")
    assert (allowed.code, "foo: 4.0% is left out" in allowed.err) == (0, True)
    Path("t.csv").write_text("prediction,1 ms\nname,share\nfoo,4%\n")
    assert "error[unmapped-ops]" in run(*arguments, "--allow-unmapped").err


def test_the_script_is_printed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    text = run("latency", "import", "--script").out
    namespace = {"__name__": "profile_coreml"}
    exec(compile(text, "profile_coreml.py", "exec"), namespace)
    assert namespace["WARM_UPS"] == 20
    assert script_main.__doc__ == namespace["main"].__doc__


def test_a_table_may_go_to_standard_output(run: Run, tiny: Path, tmp_path: Path) -> None:
    Path("t.csv").write_text("prediction,1 ms\nname,share\nstem_act,1\n")
    arguments = ("latency", "import", "t.csv", "--spec", tiny, *PROTOCOL, "-o")
    printed = run(*arguments, "-")
    assert run(*arguments, "device.yaml").code == 0
    assert printed.out == (tmp_path / "device.yaml").read_text()


@pytest.mark.parametrize("arguments", [(), ("t.csv",)])
def test_what_is_needed_is_asked_for(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("latency", "import", *arguments).code == 2


def test_packages_of_probes_lead_back_to_rows(run: Run, tiny: Path, tmp_path: Path) -> None:
    assert run("latency", "probes", "phone.yaml", tiny, "-o", "probes").code == 0
    packages = json.loads((tmp_path / "probes" / "manifest.json").read_text())["packages"]
    lines = ["device,iPhone 12", "os,iOS 16.1", "unit,all", "file,prediction_ms"]
    lines += [f"{one['file']},{0.25 + 0.05 * one['copies']:.2f}" for one in packages]
    (tmp_path / "probes" / "times.csv").write_text("\n".join(lines))
    arguments = ("latency", "import", "probes/times.csv", "--precision", "fp16", "-o", "phone.yaml")
    result = run(*arguments)
    assert (result.code, result.err) == (0, "")
    table = read_table(tmp_path / "phone.yaml")
    assert {figure.p50_ns for figure in table.rows.values()} == {50_000}
    assert table.network is not None
    assert table.network.p50_ns == 250_000
    plan = resolve(load(tiny))
    assert table.rows.keys() == {block_key(plan, part).text for part in parts(plan)}
    assert run("score", tiny, "--device", "phone.yaml", "--strict").code == 0


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
def test_rows_that_contradict_are_refused(run: Run, tmp_path: Path, at_once: bool) -> None:
    keys = {
        "a": "FFN(hidden_dim=16; act=gelu) @ 8x8x8",
        "b": "FFN(hidden_dim=32; act=gelu) @ 8x8x8",
    }
    packages = [
        {"file": f"{name}{copies}", "key": key, "copies": copies, "kind": "chain"}
        for name, key in keys.items()
        for copies in (1, 5)
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"efspec": 1, "packages": packages}))
    times = {"a": "a1,1\na5,400\n", "b": "b1,1\nb5,1.1\n"}
    head = "device,iPhone 12\nos,iOS 16.1\nunit,all\nprecision,fp16\nfile,median_ms\n"
    codes, errors = [], ""
    for rows in ("".join(times.values()),) if at_once else times.values():
        (tmp_path / "times.csv").write_text(head + rows)
        result = run("latency", "import", "times.csv", "-o", "phone.yaml")
        codes.append(result.code)
        errors += result.err
    assert codes == ([1] if at_once else [0, 1])
    assert "error[contradictory-rows]" in errors
