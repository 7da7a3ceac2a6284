"""Writing: what is written loads to the same spec, and a spec's hash is stable."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from efspec.resources import shipped_specs
from efspec.spec import dump, load, loads, resolve, spec_hash
from tests.spec.test_loading import TINY, data

NAMES = sorted(shipped_specs())
HASH_OF_TINY = "442cc168f1176fc4b2d6666a4b0c168dd6ce88fb7ee651c0a7853b3aabcf13b1"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("format_", ["yaml", "json"])
@pytest.mark.parametrize("resolved", [False, True])
def test_round_trip_of_shipped_specs(name: str, format_: Any, resolved: bool) -> None:
    spec = load(name)
    text = dump(spec, format=format_, resolved=resolved)
    again = loads(text, input_format=format_)
    assert resolved or again == spec
    assert spec_hash(again) == spec_hash(spec)
    assert resolve(again).parameters() == resolve(spec).parameters()
    assert dump(again, format=format_, resolved=resolved) == text
    if format_ == "yaml":
        lines = [line for line in text.splitlines() if not line.startswith("description:")]
        assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_readers_of_yaml_1_1_agree(name: str) -> None:
    for resolved in (False, True):
        text = dump(load(name), resolved=resolved)
        assert loads(json.dumps(yaml.safe_load(text)), input_format="json") == loads(text)


def test_style() -> None:
    assert dump(loads(TINY)) == TINY
    assert dump(loads(TINY), schema="x.json").startswith(
        "# yaml-language-server: $schema=x.json\nefspec: 1\n"
    )


def test_defaults_are_left_out_and_resolved_dumps_have_them() -> None:
    spec = loads(TINY, set=["defaults.act=gelu", "stages.0.blocks.0.expansion_ratio=4.0"])
    assert dump(spec) == TINY
    full = json.loads(dump(spec, format="json", resolved=True))
    assert full["stages"][0]["blocks"][0]["act"] == "gelu"
    assert "inherit" not in json.dumps(full)


@pytest.mark.parametrize("word", ["null", "Yes", "no", "on", "OFF", "true", "y", "N", "e5", "nan"])
def test_names_that_yaml_reads_as_something_else(word: str) -> None:
    spec = load(data(name=word))
    assert loads(dump(spec)).name == word
    assert yaml.safe_load(dump(spec))["name"] == word


texts = st.text(max_size=80).filter(str.isprintable)


@given(texts)
def test_any_description(text: str) -> None:
    spec = load(data(description=text))
    assert loads(dump(spec)) == spec
    assert loads(dump(spec, format="json"), input_format="json") == spec
    if text.isascii():
        assert yaml.safe_load(dump(spec)).get("description", "") == text


@given(st.floats(0, 64, exclude_min=True), st.floats(0, 1, exclude_max=True))
def test_any_number(ratio: float, rate: float) -> None:
    block = {"type": "ffn", "expansion_ratio": ratio, "drop_path": rate}
    spec = load(data(stages=[{"width": 16, "blocks": [block]}]))
    assert loads(dump(spec)) == spec
    values = yaml.safe_load(dump(spec))["stages"][0]["blocks"][0]
    assert (values.get("expansion_ratio", 4), values.get("drop_path")) == (ratio, rate)


def test_long_lists_wrap() -> None:
    ratios = [1 + i / 7 for i in range(200)]
    block = {"type": "ffn", "repeat": 200, "expansion_ratio": ratios}
    spec = load(data(stages=[{"width": 16, "blocks": [block]}]))
    text = dump(spec)
    assert loads(text) == spec
    assert max(map(len, text.splitlines())) <= 100


def test_hash_is_of_what_is_meant() -> None:
    spelled = {"act": "gelu", "layer_scale": 1e-5, "drop_path": 0}
    block = {"type": "ffn", "repeat": 2, "act": "gelu", "expansion_ratio": 4, "drop_path": 0.0}
    spec = load(data(defaults=spelled, stages=[{"width": 16, "blocks": [block]}]))
    assert spec_hash(spec) == spec_hash(loads(TINY))
    for change in ("name=x", "head.classes=11", "stages.0.blocks.0.act=relu", "input.size=65"):
        assert spec_hash(loads(TINY, set=[change])) != spec_hash(loads(TINY))


def test_hash_is_stable() -> None:
    # Artefacts carry it: a new hash for an old spec is a change of the format.
    assert spec_hash(loads(TINY)) == HASH_OF_TINY


def test_linear_rates_are_spelled_out_and_mean_the_same() -> None:
    spec = load("v2_l")
    again = loads(dump(spec, resolved=True))
    assert resolve(again).network.block == resolve(spec).network.block


@pytest.mark.parametrize("rate", [0.0, 0.1, {"linear": 0.1}])
def test_what_looks_like_a_field_within_a_text_stays(rate: Any) -> None:
    words = '"act":"inherit","layer_scale":"inherit","drop_path":"inherit"'
    spec = load(data(description=words, defaults={"drop_path": rate}))
    full = json.loads(dump(spec, format="json", resolved=True))
    assert full["description"] == words
    assert "inherit" not in json.dumps(full["stages"])
    assert loads(dump(spec, resolved=True)).description == words
