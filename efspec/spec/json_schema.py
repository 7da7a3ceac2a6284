"""The JSON Schema of the spec language, for editors and for checks from the outside."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from efspec.blocks import BLOCKS, STEMS
from efspec.spec.fields import parts_of, parts_of_the_language
from efspec.spec.files import shipped_specs
from efspec.spec.schema import NetworkSpec
from efspec.spec.space import OPEN_IN_BLOCKS, SpaceSpec

Schema = dict[str, Any]

_MERGING = ("input", "defaults", "stem", "head")
"""Fields whose mappings merge with those of the spec that is extended."""


def schemas() -> dict[str, str]:
    """The text of every schema of the spec language, by file name."""
    made = {"network": network_schema(), "space": space_schema()}
    return {
        f"{name}.schema.json": f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n"
        for name, schema in made.items()
    }


def network_schema() -> Schema:
    """The JSON Schema of a spec file: of a whole network, or of changes to another spec."""
    network: Schema = NetworkSpec.model_json_schema(schema_generator=_Generator)
    parts = network.pop("$defs")
    for model in parts_of_the_language():
        _describe(network if model is NetworkSpec else parts[model.__name__], model)
    changes = _changes(network, parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "efspec network",
        "description": "A vision network for efspec, format 1.",
        "anyOf": [{"$ref": "#/$defs/NetworkSpec"}, {"$ref": "#/$defs/ExtendingSpec"}],
        "$defs": dict(sorted({**parts, "NetworkSpec": network, "ExtendingSpec": changes}.items())),
    }


def file_schema(model: type[BaseModel], title: str) -> Schema:
    """The JSON Schema of a file that is one mapping of known fields.

    Args:
        model: The mapping.
        title: What editors call the schema.
    """
    schema: Schema = model.model_json_schema(schema_generator=_Generator)
    parts = schema.pop("$defs", {})
    for part in parts_of(model):
        _describe(schema if part is model else parts[part.__name__], part)
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**dialect, **schema, "$defs": parts}


def space_schema() -> Schema:
    """The JSON Schema of a search space, in whose parts nothing is said of what is open."""
    schema = file_schema(SpaceSpec, "efspec search space")
    for models, is_open in ((STEMS, ("width",)), (BLOCKS, OPEN_IN_BLOCKS)):
        for part in (schema["$defs"][model.__name__] for model in models):
            for name in is_open:
                part["properties"].pop(name, None)
            part["required"] = [name for name in part["required"] if name not in is_open]
    return schema


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas without what only efspec needs."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out the default `inherit`, which stands for another field's value."""
        written = super().default_schema(schema)
        if written.get("default") == "inherit":
            del written["default"]
        return written

    def get_title_from_name(self, name: str) -> str:
        """Title of a field: none, because editors show it beside the name and say it twice."""
        return name

    def field_title_should_be_set(self, schema: Any) -> bool:
        """See `get_title_from_name`."""
        return False


def _changes(network: Schema, parts: dict[str, Schema]) -> Schema:
    """The schema of a spec that extends another; adds what it refers to to `parts`.

    Mappings that merge may be incomplete, so that they have schemas of their own in which
    nothing is required.
    """
    fields = dict(network["properties"])
    for name in _MERGING:
        fields[name] = _incomplete(fields[name], parts)
    extends = {
        "type": "string",
        "description": "What this spec changes: a shipped name, or a path relative to this file.",
        "examples": [name for name in shipped_specs() if "/" not in name],
    }
    changes = {
        "type": "object",
        "description": "Single elements that change, such as stages.2.width, by their path.",
    }
    return {
        "type": "object",
        "description": "Changes to another spec.",
        "properties": {"extends": extends, "set": changes, **fields},
        "required": ["extends"],
        "additionalProperties": False,
    }


def _incomplete(field: Schema, parts: dict[str, Schema]) -> Schema:
    """A field's schema in which the mappings may lack what else is required."""
    options = [option for key in ("oneOf", "anyOf") for option in field.get(key, [])]
    references = [option["$ref"] for option in options or [field]]
    names = [reference.rpartition("/")[2] for reference in references]
    for name in names:
        part = {key: value for key, value in parts[name].items() if key != "required"}
        parts[f"Partial{name}"] = part
    return {
        "description": field.get("description", ""),
        "anyOf": [{"$ref": f"#/$defs/Partial{name}"} for name in names],
    }


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    """Add a model's docstring and those of its fields; the source holds the latter."""
    schema["description"] = inspect.cleandoc(model.__doc__ or "")
    if "type" in schema["properties"]:  # it selects the schema, so it cannot be left out
        schema["required"] = ["type", *schema.get("required", [])]
        schema["properties"]["type"] = {"const": schema["properties"]["type"]["const"]}
    schema.pop("title", None)
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            for name, text in field_docstrings(base).items():
                schema["properties"][name]["description"] = text


def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands below the fields that a model adds, by field."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)  # it is the source of a class
    docstrings = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and field.target.id in model.model_fields
        ):
            docstrings[field.target.id] = inspect.cleandoc(str(text.value.value))
    return docstrings
