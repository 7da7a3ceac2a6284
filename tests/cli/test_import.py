"""`efspec import`: where specs go, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import efspec
from tests.cli.conftest import Run

ENCODING = {"d": [2, 2, 6, 4], "e": 4, "w": [32, 48, 96, 176]}
TABLES = {
    "EfficientFormer_width": {"l1": [48, 96, 224, 448], "l3": [64, 128, 320, 512]},
    "EfficientFormer_depth": {"l1": [3, 2, 6, 4], "l3": [4, 4, 12, 6]},
}


@pytest.fixture
def files(run: Run, tmp_path: Path) -> None:
    """An encoding and two variants' dictionaries, in the folder where commands run."""
    (tmp_path / "net.json").write_text(json.dumps(ENCODING))
    (tmp_path / "v1.json").write_text(json.dumps(TABLES))


def assumptions(text: str) -> list[str]:
    return [line.removeprefix("assumed ") for line in text.splitlines()]


@pytest.mark.usefixtures("files")
def test_a_spec_goes_to_standard_output_or_to_a_file(run: Run, tmp_path: Path) -> None:
    printed = run("import", "net.json")
    assert printed.code == 0
    assert run("import", "net.json", "-o", "-") == printed
    written = run("import", "net.json", "-o", "spec.yaml")
    assert (written.code, written.out, written.err) == (0, "", printed.err)
    assert (tmp_path / "spec.yaml").read_text() == printed.out
    assert run("validate", "spec.yaml").code == 0
    assert run("score", "spec.yaml").code == 0
    run("import", "net.json", "-o", "spec.json")
    assert efspec.load("spec.json") == efspec.load("spec.yaml")


@pytest.mark.usefixtures("files")
def test_what_was_assumed_is_said_everywhere(run: Run) -> None:
    printed = run("import", "net.json")
    report = json.loads(run("import", "net.json", "--json").out)
    said = assumptions(printed.err)
    assert said[0] == "family: v2 (v2_s0 has these widths and depths)"
    assert {"input.size", "head.classes", "defaults.drop_path", "attention"} <= {
        line.partition(":")[0] for line in said
    }
    listed = [f"{a['field']}: {a['value']} ({a['reason']})" for a in report["assumed"]]
    assert listed == said
    header = [line.removeprefix("#").strip() for line in printed.out.splitlines() if line[0] == "#"]
    assert all(line in " ".join(header) for line in said)
    told = run("import", "net.json", "--family", "v2")
    assert assumptions(told.err) == said[1:]


@pytest.mark.usefixtures("files")
def test_several_networks_go_into_a_folder(run: Run, tmp_path: Path) -> None:
    refused = run("import", "v1.json")
    assert (refused.code, refused.out) == (1, "")
    assert "error[several-specs]: 2 networks" in refused.err
    assert "expected: l1, l3" in refused.err
    result = run("import", "v1.json", "-o", "out/specs")
    assert (result.code, result.out) == (0, "")
    assert {path.name for path in (tmp_path / "out/specs").iterdir()} == {"l1.yaml", "l3.yaml"}
    assert result.err.count("defaults.act") == 1  # the same for both
    assert "l3: assumed attending blocks: 4 (as in v1_l3, " in result.err
    one = run("import", "v1.json", "--variant", "l3")
    assert (tmp_path / "out/specs/l3.yaml").read_text() == one.out
    run("import", "v1.json", "--variant", "l1", "--name", "mine", "-o", "out")
    assert efspec.load("out/mine.yaml").name == "mine"
    taken = run("import", "v1.json", "-o", "net.json")
    assert (taken.code, "error[not-a-folder]" in taken.err) == (1, True)


@pytest.mark.usefixtures("files")
def test_reports_can_be_imported_again(run: Run) -> None:
    for arguments in (["net.json"], ["v1.json", "--variant", "l1"]):
        report = run("import", *arguments, "--json")
        assert json.loads(report.out)["file"] is None
        again = json.loads(run("import", "-", "--json", stdin=report.out).out)
        assert again["spec"] == json.loads(report.out)["spec"]
        assert again["hash"] == json.loads(report.out)["hash"]
    several = json.loads(run("import", "v1.json", "--json", "-o", "out").out)
    assert [(one["name"], one["format"], one["file"]) for one in several] == [
        ("l1", "official", str(Path("out/l1.yaml"))),
        ("l3", "official", str(Path("out/l3.yaml"))),
    ]


@pytest.mark.usefixtures("files")
def test_nothing_is_written_when_one_of_several_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "some.jsonl").write_text('{"extends": "v2_s0"}\n{"extends": "v9"}\n')
    (tmp_path / "old.yaml").write_text("old")
    result = run("import", "some.jsonl", "-o", "out")
    assert (result.code, result.out) == (1, "")
    assert "some.jsonl:2:13: error[no-such-spec]" in result.err
    assert not (tmp_path / "out").exists()
    assert run("import", "some.jsonl", "-o", "old.yaml").code == 1
    assert (tmp_path / "old.yaml").read_text() == "old"


@pytest.mark.usefixtures("files")
def test_figures_beside_a_spec_are_named(run: Run) -> None:
    result = run("import", "-", stdin='{"spec": {"extends": "v2_s0"}, "mes": 66, "a\\nb": 1}')
    assert result.err == "left out mes, a?b\n"
    assert result.out.startswith(
        "# Imported by efspec from standard input (spec).\n# Left out: mes, a?b.\nefspec: 1\n"
    )


def test_help_tells_the_accepted_forms(run: Run) -> None:
    text = run("import", "--help").out
    for word in ("`d`", "`e`", "`w`", "expansion_ratios", "pretrained_cfg", "beyond"):
        assert word in text
