"""`efspec latency probes`: packages to measure elsewhere, and the list of them."""

from __future__ import annotations

import json
from pathlib import Path

import efspec
from efspec.latency.devices import dump_table
from efspec.latency.packages import COPIES
from efspec.latency.probe import wanted
from tests.cli.conftest import Run
from tests.latency.tables import table_of


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
