"""The language reference on the page of `efspec.spec` is complete, and its examples are right."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from efspec.blocks import BLOCKS, DOWNSAMPLES, HEADS, STEMS
from efspec.spec import loads, resolve
from efspec.spec.candidates import size
from efspec.spec.fields import parts_of, parts_of_the_language
from efspec.spec.json_schema import network_schema
from efspec.spec.mes import MesSpec, TermsSpec, read_mes
from efspec.spec.schema import Defaults, InputSpec, StageSpec
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import read_space
from tests import pages
from tests.contracts.test_diagnostics import PACKAGE, named

TEXT = pages.PAGES["spec"].read_text()
EXAMPLE = re.compile(
    r"^<!-- fields (\w+) -->$|^```(yaml|jsonl)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
HOST = """
efspec: 1
name: host
input: {size: 64}
stem: {type: conv_stem, width: 16}
stages:
  - {width: 32, downsample: {type: conv}, blocks: [{type: ffn}]}
  - {width: 32, downsample: {type: conv}, blocks: [{type: ffn}]}
head: {type: linear}
"""
"""A network that any part may be put into."""
PLACES: dict[type[BaseModel], str] = {
    InputSpec: "input",
    Defaults: "defaults",
    StageSpec: "stages.0",
    **dict.fromkeys(STEMS, "stem"),
    **dict.fromkeys(DOWNSAMPLES, "stages.0.downsample"),
    **dict.fromkeys(BLOCKS, "stages.1.blocks.0"),
    **dict.fromkeys(HEADS, "head"),
}
"""Where an example of a part goes."""


def examples() -> list[tuple[str, str, str]]:
    """The part whose table was the last one, the language, and the text of each example."""
    found, part = [], "NetworkSpec"
    for name, language, text in EXAMPLE.findall(TEXT):
        part = name or part
        if text:
            found.append((part, language, text))
    return found


def parts_of_files() -> list[type[BaseModel]]:
    """The parts of specs and of spaces, but for metrics, which stand in a line."""
    parts = dict.fromkeys([*parts_of_the_language(), *parts_of(SpaceSpec)])
    return [part for part in parts if part is not TermsSpec]


def test_every_part_is_there() -> None:
    parts = {part.__name__ for part in parts_of_files()}
    assert parts <= set(re.findall(r"^<!-- fields (\w+) -->$", TEXT, re.MULTILINE))


@pytest.mark.parametrize("part", parts_of_files(), ids=lambda part: part.__name__)
def test_every_field_is_there(part: type[BaseModel]) -> None:
    """In the table of its part, or in that of what the part is based on."""
    shown = set()
    for base in part.__mro__:
        table = re.search(rf"<!-- fields {base.__name__} -->(.*?)<!-- end -->", TEXT, re.DOTALL)
        shown |= set(re.findall(r"^\| `(\w+)` \|", table[1], re.MULTILINE) if table else ())
    assert part.model_fields.keys() - {"type"} == shown


def test_every_part_that_is_chosen_has_an_example() -> None:
    shown = {part for part, _, _ in examples()}
    assert {part.__name__ for part in PLACES} <= shown
    for registry in (BLOCKS, STEMS, DOWNSAMPLES, HEADS):
        for part in registry:
            assert f"### `type: {part.model_fields['type'].default}`\n" in TEXT


@pytest.mark.parametrize(
    ("part", "language", "text"), examples(), ids=lambda value: value.partition("\n")[0]
)
def test_examples_are_right(part: str, language: str, text: str, tmp_path: Path) -> None:
    if language == "jsonl":
        for line in text.splitlines():
            resolve(loads(line, input_format="json"))
    elif part in ("MesSpec", "TermSpec"):
        (tmp_path / "mes.yaml").write_text(text)
        assert isinstance(read_mes(tmp_path / "mes.yaml"), MesSpec)
    elif part == "SpaceSpec":
        (tmp_path / "space.yaml").write_text(text)
        assert size(read_space(tmp_path / "space.yaml")) > 1
    elif re.match(r"efspec:|extends:", text):
        resolve(loads(text))
    else:
        (place,) = [at for model, at in PLACES.items() if model.__name__ == part]
        resolve(loads(HOST, set=[f"{place}={text}"]))


def test_every_diagnostic_has_a_meaning() -> None:
    section = TEXT.partition("## Diagnostics\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    trees = (ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py"))
    assert sorted(told) == sorted({name for tree in trees for name in named(tree)})


def limits(schema: Any) -> set[float]:
    """The limits of a number in a JSON Schema; those of a list's elements are not told there."""
    own = {schema[key] for key in ("minimum", "maximum", "exclusiveMaximum") if key in schema}
    return own.union(*(limits(one) for key in ("anyOf", "oneOf") for one in schema.get(key, ())))


@pytest.mark.parametrize("part", parts_of_the_language(), ids=lambda part: part.__name__)
def test_words_for_what_fields_take_name_their_limits(part: type[BaseModel]) -> None:
    for name, schema in network_schema()["$defs"][part.__name__]["properties"].items():
        words = pages.takes(part, name)
        numbers = {float(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", words)}
        assert limits(schema) <= numbers, (name, words)
