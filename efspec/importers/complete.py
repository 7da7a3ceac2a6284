"""Completing what a description says: the family, what is assumed, and where all comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.importers.arguments import Foreign
from efspec.importers.description import Description, validated
from efspec.importers.outline import Family, Outline
from efspec.importers.published import of_sizes
from efspec.record import Record
from efspec.spec.source_map import Loc, Node, field_text, plain

IN_ALL_PUBLISHED: dict[str, Any] = {
    "act": "gelu",
    "layer_scale": 1e-5,
    "pool_size": 3,
    "size": 224,
    "channels": 3,
    "classes": 1000,
    "distilled": True,
    "downsamples": None,
}
"""What is assumed where a format has no word for it, by field of an outline."""
IN_MOST_PUBLISHED = {"drop_path": 0.0}
"""The same, where the published networks differ."""
IN_SPEC = {
    "ratios": "expansion_ratio",
    "attention": "attending blocks",
    "act": "defaults.act",
    "layer_scale": "defaults.layer_scale",
    "drop_path": "defaults.drop_path",
    "pool_size": "pool_size",
    "size": "input.size",
    "channels": "input.channels",
    "classes": "head.classes",
    "distilled": "distillation head",
}
"""What people call those fields of an outline that may be assumed."""


class Assumption(Record):
    """Something that a description does not say, or does not say plainly.

    Attributes:
        field: What it is about.
        value: What is taken.
        reason: Why.
    """

    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value} ({self.reason})"


def family_of(
    description: Description, models: Mapping[Family, type[Foreign]]
) -> tuple[Family, str]:
    """The family of a network, and what tells it.

    Raises:
        EfspecError: When nothing does.
    """
    data = plain(description.root)
    assert isinstance(data, dict)  # descriptions hold mappings
    architecture = str(data.get("architecture", ""))
    if architecture:
        family: Family = "v2" if architecture.startswith("efficientformerv2") else "v1"
        return family, f"from the architecture's name, {architecture[:40]!a}"
    v1, v2 = (models[one].model_fields.keys() for one in ("v1", "v2"))
    for field in data:
        if field in v1 ^ v2:
            family = "v1" if field in v1 else "v2"
            return family, f"`{field}` is an argument of {family.upper()} only"
    by_field = {meant: data.get(field) for field, meant in models["v2"].meanings().items()}
    widths, depths = by_field.get("widths"), by_field.get("depths")
    if isinstance(widths, list) and isinstance(depths, list):
        twin = of_sizes(tuple(widths), tuple(depths))
        if twin:
            return twin.family, f"{twin.name} has these widths and depths"
    if isinstance(by_field.get("ratios"), list):
        return "v2", "expansion ratios that differ by block are V2's"
    raise fail(
        "unknown-family",
        "nothing in it tells whether this is a V1 or a V2 network",
        field=field_text(description.path),
        fix="say `--family v1` or `--family v2`",
        **description.root.place(),
    )


def completed(
    model: Foreign, family: Family, description: Description, assumed: list[Assumption]
) -> Outline:
    """The outline of what a model says, completed from what is assumed.

    Raises:
        EfspecError: When something is missing, or does not fit.
    """
    values = {"family": family, **model.given()}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (model.origin, model.defaults()),
        ("as in all published networks", IN_ALL_PUBLISHED),
        ("as in most published networks", IN_MOST_PUBLISHED),
    ]
    twin = of_sizes(values.get("widths"), values.get("depths"))
    if twin and twin.family == family and not model.is_complete:
        layers.insert(0, (f"as in {twin.name}, which has these widths and depths", twin.known))
    written = {meant: field for field, meant in model.meanings().items()}
    missing: list[Diagnostic] = []
    for field in (field for field in Outline.model_fields if field not in values):
        for reason, layer in layers:
            if field in layer:
                values[field] = layer[field]
                if field in IN_SPEC and not (field == "pool_size" and family == "v2"):
                    shown = _shown(layer[field])
                    assumed.append(Assumption(IN_SPEC[field], shown, reason))
                break
        else:
            name = written[field]
            path = field_text(description.written.get(name, (*description.path, name)))
            missing.append(
                Diagnostic(
                    name="missing-field",
                    message="it is required, and missing",
                    field=path,
                    fix=f"add `{name}`",
                    **description.root.place(),
                )
            )
    if missing:
        raise EfspecError(missing)
    order = ["family", *IN_SPEC.values()]
    assumed.sort(key=lambda assumption: order.index(assumption.field))
    return validated(Outline, values, _by_meaning(model, description))


def _by_meaning(model: Foreign, description: Description) -> Description:
    """A description whose fields have the names of an outline's."""
    root = description.root
    assert isinstance(root.value, dict)  # descriptions hold mappings
    fields: dict[str, Node] = {}
    written: dict[str, Loc] = {}
    for field, meant in model.meanings().items():
        written[meant] = description.written.get(field, (*description.path, field))
        if field in root.value:
            fields[meant] = root.value[field]
    return description.replaced(
        root=Node(fields, root.source, root.at, root.key_at), written=written
    )


def origins_of(model: Foreign, description: Description) -> dict[Loc, Node]:
    """Where the fields of the spec come from, where that is not the description as a whole."""
    nodes = _by_meaning(model, description).root.value
    assert isinstance(nodes, dict)  # it is made of them
    places: list[tuple[Loc, str]] = [
        (("input",), "size"),
        (("input", "channels"), "channels"),
        (("defaults", "act"), "act"),
        (("defaults", "drop_path"), "drop_path"),
        (("defaults", "layer_scale"), "layer_scale"),
        (("head",), "classes"),
    ]
    origins = {loc: nodes[field] for loc, field in places if field in nodes}
    for field, loc in (("widths", ()), ("depths", ("blocks",))):
        stages = nodes[field].value if field in nodes else None
        if isinstance(stages, list):
            origins |= {("stages", i, *loc): stage for i, stage in enumerate(stages)}
            if field == "widths" and stages:
                origins["stem",] = stages[0]
    return origins


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "null"
        case float():
            return f"{value:g}"
        case tuple():
            return f"[{', '.join(map(_shown, value))}]"
    return str(value)
