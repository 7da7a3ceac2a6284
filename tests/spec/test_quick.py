"""What is read quickly is what is read with care, and nothing that is wrong is."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given

from efspec.errors import EfspecError
from efspec.spec import NetworkSpec, load, load_all, loads
from efspec.spec.quick import read_quickly
from efspec.spec.source_map import Source
from tests.spec.test_loading import data
from tests.strategies import networks

LINE = json.dumps(data())


def quickly(text: str) -> NetworkSpec | None:
    return read_quickly(Source("x", text))


@given(networks())
def test_right_specs_are_read_as_by_others(fields: dict[str, Any]) -> None:
    spec = quickly(json.dumps(fields))
    assert spec == load(fields)
    assert repr(spec) == repr(load(fields))  # which tells 1 from 1.0
    assert quickly(json.dumps(fields, indent=2)) == spec


@pytest.mark.parametrize(
    "description", ["a: b", ": : :", '"x": 1', "caf\xe9", "\U0001f600", "\\u0041", "{}[],"]
)
def test_any_description(description: str) -> None:
    fields = data(description=description)
    for ascii_only in (True, False):
        spec = quickly(json.dumps(fields, ensure_ascii=ascii_only))
        assert spec == load(fields)


def test_fields_have_places() -> None:
    spec = quickly(LINE)
    assert spec
    assert spec.source_map
    assert spec.source_map.place(("name",))["column"] == LINE.index('"name"') + len('"name": ') + 1


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ('"name"', '"name": "first", "name"', "duplicate-key"),
        # Of the two keys one is lost, and as many colons come from an escape.
        ('"name"', '"description": "\\u003a\\u003A", "name": "a", "name"', "duplicate-key"),
        ("16", '16, "width": 16', "duplicate-key"),
        ("16", "100000000000000000000", "out-of-range"),
        ("16", "NaN", "json-syntax"),
        ("16", "1e999", "wrong-type"),
        ("16", "16.0", "wrong-type"),
        ("16", "true", "wrong-type"),
        ("16", "[" * 300 + "]" * 300, "too-deep"),
        ("}", "", "json-syntax"),
        ('"name"', '"nome"', "unknown-field"),
        ('"name"', '"extends": "v2_s0", "name"', None),
        ('"name"', '"set": {"input.size": 64}, "name"', None),
    ],
)
def test_all_else_is_left_to_others(old: str, new: str, name: str | None) -> None:
    text = LINE.replace(old, new, 1)
    assert text != LINE
    assert quickly(text) is None
    (result,) = load_all(io.BytesIO(text.encode()), input_format="jsonl")
    if name is None:
        assert result == loads(text, input_format="json")
        return
    with pytest.raises(EfspecError) as error:
        loads(text, input_format="json")
    assert isinstance(result, EfspecError)
    assert name in [diagnostic.name for diagnostic in result.diagnostics]
    told = [[d.replaced(file="") for d in e.diagnostics] for e in (result, error.value)]
    assert told[0] == told[1]


@pytest.mark.parametrize("text", ["", "1", "[]", "null", '"x"', "{}"])
def test_what_is_no_spec(text: str) -> None:
    assert quickly(text) is None
