"""Reading: where specs come from, what the scalars mean, and where things were written."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from efspec.errors import EfspecError
from efspec.spec import NetworkSpec, dump, load, load_all, loads, resolve, spec_hash
from efspec.spec.source_map import Source, field_text, plain
from efspec.spec.yaml_reader import read_yaml

TINY = """\
efspec: 1
name: tiny
input: {size: 64}
stem: {type: conv_stem, width: 16}
stages:
  - width: 16
    blocks:
      - {type: ffn, repeat: 2}
head: {type: linear, classes: 10}
"""
AS_JSON = dump(loads(TINY), format="json")


def data(**changes: Any) -> dict[str, Any]:
    return {
        "efspec": 1,
        "name": "tiny",
        "input": {"size": 64},
        "stem": {"type": "conv_stem", "width": 16},
        "stages": [{"width": 16, "blocks": [{"type": "ffn", "repeat": 2}]}],
        "head": {"type": "linear", "classes": 10},
        **changes,
    }


def test_sources_agree(tmp_path: Path) -> None:
    for name, text in {
        "a.yaml": TINY,
        "b.yml": TINY,
        "c.json": AS_JSON,
        "d.jsonl": AS_JSON,
    }.items():
        tmp_path.joinpath(name).write_text(text)
    specs = [load(path) for path in sorted(tmp_path.iterdir())]
    assert all(spec == loads(TINY) == load(data()) for spec in specs)
    assert load(str(tmp_path / "a.yaml")) == load(tmp_path / "a.yaml", input_format="yaml")
    assert len({spec_hash(spec) for spec in specs}) == len({hash(spec) for spec in specs}) == 1


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TINY.encode())))
    assert load("-") == loads(TINY)
    lines = io.TextIOWrapper(io.BytesIO(f"{AS_JSON}\n\n[]\n{AS_JSON}".encode()))
    monkeypatch.setattr("sys.stdin", lines)
    good, wrong, good_again = load_all("-", input_format="jsonl")
    assert good == good_again == loads(TINY)
    assert isinstance(wrong, EfspecError)
    assert (wrong.diagnostics[0].file, wrong.diagnostics[0].line) == ("<stdin>", 4)


def test_load_all_of_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TINY)
    assert list(load_all(path, set=["name=other"])) == [loads(TINY, set=["name=other"])]
    path.write_text("efspec: 2")
    (error,) = load_all(path)
    assert isinstance(error, EfspecError)
    with pytest.raises(EfspecError, match="no-such-spec"):
        list(load_all("nothing.jsonl"))


def test_a_long_line_does_not_end_the_run() -> None:
    stream = io.BytesIO(b'{"name": "' + b"x" * (1 << 21) + b'"}\n' + AS_JSON.encode())
    wrong, good = load_all(stream, input_format="jsonl")
    assert isinstance(wrong, EfspecError)
    assert wrong.diagnostics[0].name == "file-too-large"
    assert good == loads(TINY)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("+4", 4), ("010", 10), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5),
        (".5", 0.5), ("5.", 5.0), ("1e-5", 1e-5), ("1E+3", 1000.0), ("-.inf", -math.inf),
        (".INF", math.inf), ("true", True), ("TRUE", True), ("False", False), ("null", None),
        ("~", None), ("", None), ("yes", "yes"), ("off", "off"), ("No", "No"), ("1_000", "1_000"),
        ("0b11", "0b11"), ("12:30", "12:30"), ("2022-12-15", "2022-12-15"), ("1e", "1e"),
        (".", "."), ("-", "-"), ("tRUE", "tRUE"), ("'1'", "1"), ('"null"', "null"), ("=", "="),
        ("0x", "0x"), ("1e5x", "1e5x"), ("+.inf", math.inf), ("--1", "--1"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_of_yaml_1_2(text: str, value: object) -> None:
    if text == "-":
        text = "'-'"
    read = plain(read_yaml(Source("x", f"key: {text}\n"), []))
    assert read == {"key": value}
    assert type(read["key"]) is type(value)  # type: ignore[index]


def test_not_a_number() -> None:
    read = plain(read_yaml(Source("x", "[.nan, .NaN]"), []))
    assert all(math.isnan(value) for value in read)  # type: ignore[attr-defined]


def test_aliases_stand_for_values() -> None:
    text = TINY.replace("- {type: ffn, repeat: 2}", "- &b {type: ffn, repeat: 2}\n      - *b")
    blocks = loads(text).stages[0].blocks
    assert blocks[0] == blocks[1]


def test_byte_order_mark_and_line_ends() -> None:
    assert loads(b"\xef\xbb\xbf" + TINY.encode()) == loads(TINY)
    assert loads(TINY.replace("\n", "\r\n")) == loads(TINY)
    assert loads("\ufeff" + AS_JSON, input_format="json") == loads(TINY)


def test_positions_are_kept_for_values_and_names() -> None:
    source_map = loads(TINY).source_map
    assert source_map
    value = source_map.place(("stages", 0, "blocks", 0, "repeat"))
    assert (value["line"], value["column"]) == (8, 29)
    name = source_map.place(("stages", 0, "blocks", 0, "repeat"), key=True)
    assert (name["line"], name["column"]) == (8, 21)
    around = source_map.place(("stages", 0, "blocks", 0, "act"))
    assert (around["line"], around["column"]) == (8, 9)
    assert source_map.place(("stages", 7, "width"))["line"] == 6
    assert source_map.node(("stages", 7)) is None


def test_json_has_positions_too() -> None:
    text = '{"efspec": 1,\n "input": {"size": 64, "chan": 3}}'
    with pytest.raises(EfspecError) as info:
        loads(text, name="x.json", input_format="json")
    (wrong,) = (d for d in info.value.diagnostics if d.name == "unknown-field")
    assert (wrong.line, wrong.column, wrong.source) == (2, 24, text.splitlines()[1])


def test_dictionaries_have_fields_but_no_places() -> None:
    with pytest.raises(EfspecError) as info:
        load(data(stem={"type": "conv_stem", "width": "wide"}))
    assert str(info.value).startswith("error[wrong-type]: stem.width: 'wide' is a string")
    endless = data()
    endless["stem"] = endless
    for wrong, name in ((data(stem={3: 4}), "bad-key"), (endless, "too-deep")):
        with pytest.raises(EfspecError, match=name):
            load(wrong)


def test_field_text() -> None:
    assert field_text(("stages", 2, "blocks", 0, "act")) == "stages[2].blocks[0].act"
    assert field_text(()) == ""


def test_specs_are_values() -> None:
    spec = loads(TINY)
    assert spec == NetworkSpec.model_validate(data())
    assert spec != loads(TINY, set=["name=other"])
    assert spec != "tiny"
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert resolve(again).hash == resolve(spec).hash


def test_unknown_format() -> None:
    with pytest.raises(EfspecError, match="unknown-format"):
        loads(TINY, input_format="toml")
