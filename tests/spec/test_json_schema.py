"""The JSON Schema takes what the loader takes, as far as a schema can know."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from efspec.resources import folder, shipped_specs
from efspec.spec import dump, load
from efspec.spec.json_schema import schemas
from tests.spec.diagnostics import cases

SCHEMA = json.loads(schemas()["network.schema.json"])
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_file_is_fresh(update_golden: bool) -> None:
    for name, text in schemas().items():
        path = folder("schemas") / name
        if update_golden:
            path.write_text(text)
        assert path.read_text() == text


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_shipped_specs_fit(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load(shipped_specs()[name].read_text()))
    for resolved in (False, True):
        VALIDATOR.validate(json.loads(dump(load(name), format="json", resolved=resolved)))


def test_extending_specs_may_be_incomplete() -> None:
    VALIDATOR.validate({"extends": "v2_s1"})
    changes = {"stages.2.width": 3}
    VALIDATOR.validate({"extends": "x.yaml", "set": changes, "head": {"classes": 3}})
    assert not VALIDATOR.is_valid({"extends": "v2_s1", "sett": {}})
    assert not VALIDATOR.is_valid({"extends": "v2_s1", "head": {"clases": 3}})


@pytest.mark.parametrize(
    "folder_", ["unknown-field", "missing-field", "missing-type", "unknown-value", "unknown-type"]
)
def test_it_refuses_what_the_loader_refuses(folder_: str) -> None:
    for case in cases():
        if case.parent.name == folder_ and case.suffix == ".yaml":
            text = case.read_text()
            if not any(word in text for word in ("set", "extends")):
                assert not VALIDATOR.is_valid(yaml.safe_load(text)), case.name


def test_every_field_is_described() -> None:
    for name, part in SCHEMA["$defs"].items():
        assert part["description"], name
        for field, schema in part["properties"].items():
            assert field == "type" or schema.get("description"), (name, field)
