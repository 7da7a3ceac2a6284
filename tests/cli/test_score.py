"""`efspec score`: what it prints, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from efspec.cli.schema import all_schemas
from tests.cli.conftest import Run

VALIDATOR = Draft202012Validator(json.loads(all_schemas()["score.schema.json"]))
KEYS = {
    "name", "hash", "device", "input", "params", "params_folded", "macs", "activation_bytes_peak",
    "latency_ms", "mes", "coverage", "stages", "blocks",
}  # fmt: skip
LINES = '{"extends": "v2_s0"}\n\n{"extends": "v2_s1"}\n'
WRONG_LINES = '{"extends": "v2_s0"}\n{"efspec": 3}\n{"extends": "v2_s1"}\n'


def scores(text: str) -> Any:
    """Scores from JSON, checked against the published schema."""
    value = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    VALIDATOR.validate(value)
    return value


def test_one_spec_gives_one_object(run: Run) -> None:
    result = run("score", "v2_s0", "--json")
    assert (result.code, result.err) == (0, "")
    score = scores(result.out)
    assert score.keys() >= KEYS
    assert score["params_folded"] == 3_548_960
    assert score["latency_ms"] is score["mes"] is score["coverage"] is score["device"] is None
    for part in ("stages", "blocks"):
        for figure in ("params", "params_folded", "macs"):
            assert sum(row[figure] for row in score[part]) == score[figure]


def test_several_specs_give_a_list(run: Run) -> None:
    result = run("score", "v2_s1", "v2_s0", "--json")
    assert [score["name"] for score in scores(result.out)] == ["v2_s1", "v2_s0"]
    assert result.out == json.dumps(json.loads(result.out), indent=2) + "\n"


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("source", ["specs.jsonl", "specs.ndjson", "-"])
def test_json_lines_give_a_list(run: Run, tmp_path: Path, source: str, count: int) -> None:
    text = '{"extends": "v2_s0"}\n' * count
    options = ["--input-format", "jsonl"] if source == "-" else []
    if source != "-":
        (tmp_path / source).write_text(text)
    result = run("score", source, *options, "--json", stdin=text)
    assert (result.code, result.err) == (0, "")
    assert [score["name"] for score in scores(result.out)] == ["v2_s0"] * count


def test_json_lines_out_are_one_object_each(run: Run) -> None:
    result = run("score", "-", "--input-format", "jsonl", "--format", "jsonl", stdin=LINES)
    found = [scores(line) for line in result.out.splitlines()]
    whole = json.loads(run("score", "v2_s0", "v2_s1", "--json").out)
    assert found == [{key: one[key] for key in found[0]} for one in whole]
    split = run("score", "v2_s0", "v2_s1", "--format", "jsonl", "--by", "stage").out
    assert [scores(line) for line in split.splitlines()] == whole


def test_csv_parses_back(run: Run) -> None:
    result = run("score", "v2_s0", "--format", "csv", "--latency-ms", "0.9")
    (row,) = csv.DictReader(io.StringIO(result.out))
    score = scores(run("score", "v2_s0", "--json", "--latency-ms", "0.9").out)
    assert row["input"] == "3x224x224"
    for key in row.keys() - {"input"}:
        assert row[key] == str(score[key])
    (row,) = csv.DictReader(io.StringIO(run("score", "v2_s0", "--format", "csv").out))
    assert row["latency_ms"] == row["mes"] == ""


def test_a_latency_gives_the_mes(run: Run) -> None:
    score = scores(run("score", "v2_s1", "--json", "--latency-ms", "1.1").out)
    assert score["latency_ms"] == 1.1
    assert score["coverage"] == {"given": 1.0}
    assert score["mes"] == pytest.approx(100 * (6_111_296 / 3e6) ** -0.5 / 1.1)
    table = run("score", "v2_s1", "--latency-ms", "1.1").out
    assert f"MES            {score['mes']:>15.1f}\n" in table


def test_the_constants_of_the_mes_come_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mes.yaml"
    file.write_text("score: 10\nterms:\n  latency_ms: {unit: 2, exponent: -1}\n")
    score = scores(run("score", "v2_s1", "--json", "--latency-ms", "4", "--mes", file).out)
    assert score["mes"] == 5


@pytest.mark.parametrize("by", ["stage", "block", "op", "kind"])
def test_costs_are_split(run: Run, by: str) -> None:
    result = run("score", "v2_s0", "--by", by)
    assert (result.code, result.err) == (0, "")
    figures, table = result.out.split("\n\n")
    assert figures.startswith("v2_s0, input 3x224x224\n")
    header, *lines = table.splitlines()
    assert header.split()[0] == by
    score = scores(run("score", "v2_s0", "--by", by, "--json").out)
    assert [line.split()[0] for line in lines] == [row["name"] for row in score[f"{by}s"]]
    assert sum(row["macs"] for row in score[f"{by}s"]) == score["macs"]
    (line,) = run("score", "v2_s0", "--by", by, "--format", "jsonl").out.splitlines()
    assert json.loads(line) == score


def test_several_specs_are_compared_and_split(run: Run) -> None:
    result = run("score", "v2_s0", "v1_l1")
    header, *lines = result.out.splitlines()
    assert header.split()[:3] == ["name", "input", "params"]
    assert "mes" not in header  # nothing is known of it
    assert [line.split()[0] for line in lines] == ["v2_s0", "v1_l1"]
    assert len({len(line) for line in (header, *lines)}) == 1
    split = run("score", "v2_s0", "v1_l1", "--by", "kind").out
    assert split.startswith(result.out + "\nv2_s0, input")
    assert "\n\nv1_l1, input" in split


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("given", ["v2_s1", "v1_l1", "v2_s0"]),
        ("name", ["v1_l1", "v2_s0", "v2_s1"]),
        ("params", ["v2_s0", "v2_s1", "v1_l1"]),
        ("macs", ["v2_s0", "v2_s1", "v1_l1"]),
        ("memory", ["v2_s1", "v2_s0", "v1_l1"]),
    ],
)
@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_comparisons_are_sorted(run: Run, form: str, sort: str, order: list[str]) -> None:
    result = run("score", "v2_s1", "v1_l1", "v2_s0", "--sort", sort, "--format", form)
    lines = result.out.splitlines()
    if form == "jsonl":
        assert [json.loads(line)["name"] for line in lines] == order
    else:
        assert [line.replace(",", " ").split()[0] for line in lines[1:]] == order


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_results_go_to_a_file_or_to_standard_output(run: Run, tmp_path: Path, form: str) -> None:
    printed = run("score", "v2_s0", "--format", form)
    assert run("score", "v2_s0", "--format", form, "-o", "-") == printed
    file = tmp_path / "scores"
    for _ in range(2):  # anew, and in place of what is there
        result = run("score", "v2_s0", "--format", form, "-o", file)
        assert (result.code, result.out, result.err) == (0, "", "")
        assert file.read_text() == printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_devices_are_written_to_and_links_are_followed(run: Run, tmp_path: Path) -> None:
    device = Path("/dev/null")
    assert run("score", "v2_s0", "--json", "-o", device).code == 0
    assert device.is_char_device()
    (tmp_path / "link").symlink_to("target")
    assert run("score", "v2_s0", "--json", "-o", "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert scores((tmp_path / "target").read_text())["name"] == "v2_s0"


def test_the_permissions_of_a_file_stay(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "scores"
    file.touch(0o640)
    run("score", "v2_s0", "--json", "-o", file)
    assert file.stat().st_mode & 0o777 == 0o640


def names(text: str, form: str) -> list[str]:
    match form:
        case "json":
            return [score["name"] for score in scores(text)]
        case "jsonl":
            return [scores(line)["name"] for line in text.splitlines()]
        case _:
            return [line.replace(",", " ").split()[0] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("output", [None, "scores"])
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_right_specs_are_scored_beside_wrong_ones(
    run: Run, tmp_path: Path, form: str, output: str | None
) -> None:
    (tmp_path / "wrong.yaml").write_text("efspec: 2\n")
    (tmp_path / "wrong.jsonl").write_text(WRONG_LINES)
    sources = ["v1_l1", "nope", "wrong.yaml", "wrong.jsonl"]
    to_file = [] if output is None or form == "table" else ["-o", output]
    result = run("score", *sources, "--format", form, *to_file)
    assert result.code == 1
    text = (tmp_path / "scores").read_text() if to_file else result.out
    assert names(text, form) == ["v1_l1", "v2_s0", "v2_s1"]
    for part in ("error[no-such-spec]", "wrong.yaml:1:", "wrong.jsonl:2:12:", "3 errors"):
        assert part in result.err


@pytest.mark.parametrize(("form", "expected"), [("json", "[]\n"), ("jsonl", ""), ("table", "")])
def test_no_right_spec_gives_no_score(run: Run, form: str, expected: str) -> None:
    result = run("score", "nope", "nope2", "--format", form)
    assert (result.code, result.out) == (1, expected)


def test_a_wrong_spec_alone_leaves_the_file_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("old")
    assert run("score", "nope", "--json", "-o", "scores").code == 1
    assert (tmp_path / "scores").read_text() == "old"
