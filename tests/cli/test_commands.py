"""`efspec validate`, `show`, `generate` and `schema`."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import efspec
from efspec.cli.schema import all_schemas
from efspec.diagram import mermaid, svg
from efspec.resources import folder, shipped_specs
from efspec.spec.spaces import shipped_spaces
from tests.cli.conftest import Run

WRONG = "efspec: 1\nname: wrong\nstem: {type: conv_stem, widht: 8}\n"


def test_valid_specs_are_counted(run: Run, tmp_path: Path) -> None:
    assert run("validate", "v2_s0").out == "1 spec is valid\n"
    (tmp_path / "specs.jsonl").write_text('{"extends": "v2_s0"}\n{"extends": "v2_s1"}\n')
    result = run("validate", "v2_s0", "specs.jsonl")
    assert (result.code, result.out, result.err) == (0, "3 specs are valid\n", "")
    assert run("validate", "v2_s0", "--json").out == "[]\n"


def test_every_shipped_spec_is_valid(run: Run) -> None:
    names = list(shipped_specs())
    result = run("validate", *names)
    assert (result.code, result.out) == (0, f"{len(names)} specs are valid\n")


def test_every_mistake_of_every_spec_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    (tmp_path / "wrong.jsonl").write_text('{"efspec": 3}\n{"extends": "v2_s0"}\n{\n')
    result = run("validate", "wrong.yaml", "v2_s0", "nope", "wrong.jsonl")
    assert (result.code, result.out) == (1, "")
    places = ("wrong.yaml:3:25: error[unknown-field]", "wrong.jsonl:1:12", "wrong.jsonl:3:")
    for text in (*places, "error[no-such-spec]", "did you mean `width`?"):
        assert text in result.err
    as_json = run("validate", "wrong.yaml", "v2_s0", "nope", "wrong.jsonl", "--json")
    assert (as_json.code, as_json.err) == (1, "")
    mistakes = json.loads(as_json.out)
    assert result.err.endswith(f"\n{len(mistakes)} errors\n")
    assert {mistake["file"] for mistake in mistakes} == {"", "wrong.yaml", "wrong.jsonl"}
    keys = {"name", "message", "field", "expected", "fix", "file", "line", "column", "source"}
    assert all(mistake.keys() == keys for mistake in mistakes)


def test_spaces_are_validated(run: Run, tmp_path: Path) -> None:
    names = list(shipped_spaces())
    assert run("validate", "v2").out == "1 space is valid\n"
    assert run("validate", *names, "v2_s0").out == f"1 spec and {len(names)} spaces are valid\n"
    assert run("validate", "v2", "--set", "input.size=64").code == 2
    text = shipped_spaces()["digits"].read_text()
    (tmp_path / "wrong.yaml").write_text(
        text.replace("[8, 16, 24]", "[8, 24, 16]").replace("[16, 24, 32, 48]", "48")
    )
    result = run("validate", "wrong.yaml", "v2", "nope")
    assert (result.code, result.out) == (1, "")
    for told in ("error[not-in-order]", "error[wrong-type]", "error[no-such-spec]"):
        assert told in result.err
    as_json = run("validate", "wrong.yaml", "v2", "nope", "--json")
    fields = [mistake["field"] for mistake in json.loads(as_json.out)]
    assert (as_json.code, fields) == (1, ["stages[0].width", "stages[1].width", ""])
    (tmp_path / "thin.yaml").write_text(text.replace("[1, 2, 4]", "[0.01, 2, 4]", 1))
    assert "in the smallest member: 0.01 times 8" in run("validate", "thin.yaml").err


def test_the_tree_joins_equal_blocks(run: Run, tiny: Path) -> None:
    result = run("show", tiny)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("tiny, input 3x32x32\n  stem ")
    assert "2 x FFN  8x8x8 -> 8x8x8" in result.out
    assert run("show", tiny, "--format", "tree") == result


def test_the_table_has_a_line_for_each_part(run: Run, tiny: Path) -> None:
    result = run("show", tiny, "--format", "table")
    title, header, *lines = result.out.splitlines()
    assert title == "tiny, input 3x32x32"
    assert header.split() == ["part", "type", "input", "output", "options"]
    blocks = efspec.score(efspec.load(tiny)).blocks
    assert [line.split()[0] for line in lines] == [block.name for block in blocks]


def test_json_shows_every_tensor(run: Run, tiny: Path) -> None:
    shown = json.loads(run("show", tiny, "--format", "json").out)
    plan = efspec.resolve(efspec.load(tiny))
    assert (shown["name"], shown["hash"]) == ("tiny", plan.hash)
    tensors = {
        key: tuple(shape)
        for part in shown["parts"]
        for op in part["ops"]
        for key, shape in op["parameters"].items()
    }
    assert tensors == plan.parameters()


def test_source_goes_to_standard_output_or_to_a_file(run: Run, tiny: Path, tmp_path: Path) -> None:
    source = efspec.generate(efspec.load(tiny))
    for options in ([], ["-o", "-"]):
        result = run("generate", tiny, *options)
        assert (result.code, result.out, result.err) == (0, source, "")
    result = run("generate", tiny, "-o", "net.py")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert (tmp_path / "net.py").read_bytes() == source.encode()
    ast.parse(source)


def test_check_exits_3_on_a_difference(run: Run, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    check = ("generate", tiny, "-o", "net.py", "--check")
    missing = run(*check)
    assert (missing.code, missing.out, missing.err) == (3, "", "net.py does not exist\n")
    run("generate", tiny, "-o", "net.py")
    same = run(*check)
    assert (same.code, same.out, same.err) == (0, "", "")
    whole = file.read_text()
    for text in (whole + "\n", whole.replace("\n", "\r\n"), "", "\0", whole.replace("self", "me")):
        file.write_bytes(text.encode())
        different = run(*check)
        assert (different.code, different.out) == (3, "")
        assert different.err.startswith("--- net.py\n+++ generated\n")
        assert different.err.endswith("net.py differs from what its source says\n")
        assert len(different.err.splitlines()) < 70
        assert file.read_bytes() == text.encode()  # nothing is written
    other = run("generate", tiny, "-o", "net.py", "--check", "--set", "stages.1.width=24")
    assert other.code == 3


def test_templates_may_be_replaced_one_by_one(run: Run, tiny: Path, tmp_path: Path) -> None:
    for name in ("none", "own"):
        (tmp_path / name).mkdir()
    assert run("generate", tiny, "--templates", "none").out == run("generate", tiny).out
    (tmp_path / "own" / "network.py.jinja").write_text("# {{ plan.name }}\n")
    assert run("generate", tiny, "--templates", "own").out == "# tiny\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ foo }\n", "network.py.jinja: unexpected '}'"),
        ("{{ foo }}\n", "network.py.jinja: 'foo' is undefined"),
        ("{% include 'nope' %}\n", "nope"),
    ],
)
def test_broken_templates_are_a_mistake(
    run: Run, tiny: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "network.py.jinja").write_text(text)
    result = run("generate", tiny, "--templates", ".", "-o", "net.py")
    assert (result.code, result.out) == (1, "")
    assert "error[bad-template]" in result.err
    assert message in result.err
    assert not (tmp_path / "net.py").exists()


def test_schemas_are_listed_printed_and_written(run: Run, tmp_path: Path) -> None:
    names = run("schema").out.split()
    assert names == ["network", "space", "device", "diff", "lint", "points", "recipe", "score"]
    assert run("schema", "-o", "out").out == ""
    for name in names:
        text = run("schema", name).out
        assert run("schema", f"{name}.schema.json").out == text
        assert (tmp_path / "out" / f"{name}.schema.json").read_text() == text
        Draft202012Validator.check_schema(json.loads(text))
    run("schema", "score", "-o", "one")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["score.schema.json"]


def test_check_of_schemas_exits_3_on_a_difference(run: Run, tmp_path: Path) -> None:
    missing = run("schema", "-o", "out", "--check")
    assert (missing.code, missing.out) == (3, "")
    assert len(missing.err.splitlines()) == len(all_schemas())
    assert not (tmp_path / "out").exists()
    run("schema", "-o", "out")
    assert run("schema", "-o", "out", "--check").code == 0
    (tmp_path / "out" / "score.schema.json").write_text("{}")
    assert run("schema", "-o", "out", "--check").code == 3
    assert run("schema", "network", "-o", "out", "--check").code == 0


def test_published_schemas_are_fresh(run: Run, update_golden: bool) -> None:
    options = [] if update_golden else ["--check"]
    result = run("schema", "-o", folder("schemas"), *options)
    assert result.code == 0, result.err


def test_every_figure_of_a_score_is_described(run: Run) -> None:
    for name in ("diff", "score"):
        schema = json.loads(run("schema", name).out)
        for part in schema["$defs"].values():
            assert part["description"]
            assert all(field["description"] for field in part["properties"].values())


@pytest.mark.parametrize("form", ["json", "svg", "mermaid"])
def test_what_is_shown_goes_to_a_file_or_to_standard_output(
    run: Run, tiny: Path, tmp_path: Path, form: str
) -> None:
    printed = run("show", tiny, "--format", form)
    assert (printed.code, printed.err) == (0, "")
    assert run("show", tiny, "--format", form, "-o", "-") == printed
    result = run("show", tiny, "--format", form, "-o", "net")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert (tmp_path / "net").read_text() == printed.out


def test_diagrams_are_what_the_package_draws(run: Run, tiny: Path) -> None:
    plan = efspec.resolve(efspec.load(tiny))
    assert run("show", tiny, "--format", "svg").out == svg(plan)
    assert run("show", tiny, "--format", "mermaid").out == mermaid(plan)
