"""What pydantic found wrong, in efspec's words, at the lines where it was written."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from efspec.blocks import BLOCKS, DOWNSAMPLES, HEADS, STEMS
from efspec.blocks.options import Part, counted
from efspec.errors import Diagnostic, suggestion
from efspec.spec.fields import Field, field_names, follow
from efspec.spec.schema import SEVERAL, Defaults, InputSpec, NetworkSpec, StageSpec
from efspec.spec.source_map import SourceMap, field_text, placed

_KINDS: dict[str, Iterable[type[Part]]] = {
    "block": BLOCKS,
    "stem": STEMS,
    "downsample": DOWNSAMPLES,
    "head": HEADS,
}
_OWNERS: dict[type[Part], str] = {
    StageSpec: "a stage",
    InputSpec: "`input`",
    Defaults: "`defaults`",
}
_AT_TOP = "write it at the top, without indentation:"
MAX_EXPLAINED = 1000
"""How many mistakes are put into words: a hostile file has a hundred thousand."""

_FLAGS = {
    **dict.fromkeys(["yes", "on", "y", "true"], "true"),
    **dict.fromkeys(["no", "off", "n", "false"], "false"),
}


def explain(
    error: ValidationError, source_map: SourceMap, root: type[BaseModel] = NetworkSpec
) -> list[Diagnostic]:
    """The mistakes of a spec.

    Args:
        error: What pydantic says of it.
        source_map: Where the spec was written.
        root: What it is a spec of.
    """
    found: list[Diagnostic] = []
    for details in islice(error.errors(include_url=False), MAX_EXPLAINED):
        if details["type"] == SEVERAL:  # one error of pydantic's, several of ours
            found += placed(details["ctx"]["mistakes"], source_map)
        elif not _is_echo(details):
            found.append(_explained(details, follow(details["loc"], root), source_map, root))
    wrong_format = [d for d in found if d.name == "unsupported-format"]
    # In another format, nothing else that seems wrong has to be.
    return wrong_format or _without_consequences(found)


class _Error:
    """One error of pydantic's: where, what kind, the value, details, and positions."""

    def __init__(
        self, at: Field, kind: str, value: Any, context: dict[str, Any], source_map: SourceMap
    ) -> None:
        self.at = at
        self.kind = kind
        self.value = value
        self.context = context
        self.source_map = source_map

    def diagnostic(
        self, name: str, message: str, *, expected: str = "", fix: str = "", key: bool = False
    ) -> Diagnostic:
        """A diagnostic at the field, which says what the field takes unless told otherwise."""
        return Diagnostic(
            name=name,
            message=message,
            field=field_text(self.at.loc),
            expected=expected or self.at.expected,
            fix=fix,
            **self.source_map.place(self.at.loc, key=key),
        )


def _explained(
    details: ErrorDetails, at: Field, source_map: SourceMap, root: type[BaseModel]
) -> Diagnostic:
    kind, value = details["type"], details["input"]
    error = _Error(at, kind, value, details.get("ctx", {}), source_map)
    match kind:
        case "missing":
            return _missing(error)
        case "extra_forbidden":
            return _unknown_field(error, root)
        case "union_tag_not_found":
            types = error.at.types
            fix = next(
                (
                    f"write `type: {t}`"
                    for t in types
                    if isinstance(value, Container) and t in value
                ),
                "",
            )
            listed = ", ".join(types)
            return error.diagnostic("missing-type", "it has no `type`", expected=listed, fix=fix)
        case "union_tag_invalid":
            return _unknown_type(error)
        case "literal_error" if isinstance(value, str):
            fix = suggestion(value.lower(), error.at.words)
            return error.diagnostic("unknown-value", f"{_show(value)} is none of them", fix=fix)
        case "greater_than" | "greater_than_equal":
            return error.diagnostic("out-of-range", f"{_show(value)} is too small")
        case "less_than" | "less_than_equal":
            return error.diagnostic("out-of-range", f"{_show(value)} is too large")
        case "finite_number":
            return error.diagnostic("out-of-range", f"{_show(value)} is no finite number")
        case "string_pattern_mismatch":
            return error.diagnostic("bad-name", f"{_show(value)} cannot be a name")
        case "string_too_long":
            return error.diagnostic("too-long", f"{len(value):,} characters")
        case "string_unicode":
            return error.diagnostic("bad-text", "it holds half of a character")
        case "too_short" | "too_long":
            return _wrong_length(error)
        case _ if "-" in kind:
            return _custom(error, details["msg"])
        case _:  # pydantic's many names for a value of another type
            found = _found(value, integer=kind == "int_type")
            return error.diagnostic("wrong-type", found, fix=_type_fix(error))


def _missing(error: _Error) -> Diagnostic:
    name = error.at.loc[-1]
    fix = "begin the file with `efspec: 1`" if name == "efspec" else f"add `{name}`"
    return error.diagnostic("missing-field", "it is required, and missing", fix=fix)


def _unknown_field(error: _Error, root: type[BaseModel]) -> Diagnostic:
    name = str(error.at.loc[-1])
    known = error.at.siblings
    if known == field_names(NetworkSpec):
        known = (*known, "extends", "set")
    message = f"there is no field {_show(name, quote='`')} here"
    fix = suggestion(name, known)
    if not fix and root is NetworkSpec:
        fix = _where_it_belongs(name, error)
    return error.diagnostic("unknown-field", message, expected=", ".join(known), fix=fix, key=True)


def _where_it_belongs(name: str, error: _Error) -> str:
    """Where there is a field of a name: in parts of the same kind, or else anywhere."""
    own = next((k for k, parts in _KINDS.items() if error.at.loc[-2:-1] == (k,)), "block")
    for kinds in ({own: _KINDS[own]}, _KINDS):
        owners = [
            f"the {kind} `{part.model_fields['type'].default}`"
            for kind, parts in kinds.items()
            for part in parts
            if name in part.model_fields and name != "type"
        ]
        if kinds is _KINDS:
            if name in NetworkSpec.model_fields:
                return f"{_AT_TOP} `{name}`"
            owners = [o for part, o in _OWNERS.items() if name in part.model_fields] or owners
        if owners:
            return f"`{name}` is a field of {_listed(owners)}"
    return ""


def _unknown_type(error: _Error) -> Diagnostic:
    value = error.value.get("type") if isinstance(error.value, dict) else None
    kind = next((k for k, parts in _KINDS.items() if _types(parts) == error.at.types), "part")
    error.at = error.at._replace(loc=(*error.at.loc, "type"))
    expected = ", ".join(error.at.types)
    if not isinstance(value, str):
        return error.diagnostic("unknown-type", _found(value), expected=expected)
    fix = suggestion(value.lower(), error.at.types)
    other = next((k for k, parts in _KINDS.items() if value in _types(parts)), "")
    if other and not fix:
        fix = f"`{value}` is the type of a {other}"
    message = f"there is no {kind} {_show(value)}"
    return error.diagnostic("unknown-type", message, expected=expected, fix=fix)


def _types(parts: Iterable[type[BaseModel]]) -> tuple[str, ...]:
    return tuple(part.model_fields["type"].default for part in parts)


def _wrong_length(error: _Error) -> Diagnostic:
    if not error.value:
        return error.diagnostic("empty-list", "the list is empty")
    found = counted(len(error.value), "value")
    if error.context.get("max_length", 0) > 2:
        return error.diagnostic("too-long", f"a list of {found}")
    return error.diagnostic("wrong-length", f"a list of {found}")


def _custom(error: _Error, message: str) -> Diagnostic:
    expected, fix = error.context.get("expected", ""), error.context.get("fix", "")
    return error.diagnostic(error.kind, message, expected=expected, fix=fix)


def _type_fix(error: _Error) -> str:
    """What may have been meant by a value of a wrong type."""
    value, types = error.value, error.at.types
    if isinstance(value, str):
        if value in types:
            return f"write `{{type: {value}}}`"
        if error.kind == "bool_type" and value.lower() in _FLAGS:
            return f"write `{_FLAGS[value.lower()]}`"
        if error.kind in ("int_type", "float_type") and _is_number(value):
            number = value.replace("_", "").replace(",", "").strip()
            return f"write `{number}`, without quotes and separators"
    if isinstance(value, float) and error.kind == "int_type" and value.is_integer():
        return f"write `{value:.0f}`" if abs(value) < 1e15 else ""
    if error.kind == "tuple_type" and isinstance(value, dict):
        return "begin each element with `- `"
    return ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace(",", "")))
    except ValueError:
        return False


def _found(value: object, integer: bool = False) -> str:
    """What a value is, where something else (an integer, perhaps) should be."""
    match value:
        case None:
            return "there is no value"
        case bool():
            return f"{_show(value)} is a boolean"
        case str():
            return f"{_show(value)} is a string"
        case int():
            return f"{_show(value)} is an integer"
        case float():
            return f"{_show(value)} is no integer" if integer else f"{_show(value)} is a number"
        case list() | tuple():
            return "it is a list"
        case dict():
            return "it is a mapping"
    return f"it is a {type(value).__name__}"


def _show(value: object, quote: str = "'") -> str:
    """A scalar as YAML writes it, cut if it is long."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            text = value if len(value) <= 40 else f"{value[:37]}..."
            return quote + "".join(c if c.isprintable() else "?" for c in text) + quote
        case int():
            return f"{value:,}" if abs(value) < 10**18 else f"an integer beyond {10**18:,}"
        case float():
            return repr(value).replace("inf", "infinity")
    return repr(value)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is only too short because its elements are wrong, which is said already."""
    value, context = details["input"], details.get("ctx", {})
    return details["type"] == "too_short" and len(value) >= context["min_length"]


def _without_consequences(found: list[Diagnostic]) -> list[Diagnostic]:
    """The mistakes without those that misspelt or misplaced fields bring along."""
    misspelt = set()
    for d in found:
        if d.name == "unknown-field" and d.fix.startswith("did you mean"):
            misspelt.add((d.file, _sibling(d, d.fix.split("`")[1])))
        elif d.fix.startswith(_AT_TOP):
            misspelt.add((d.file, d.fix.split("`")[1]))
    kept = [d for d in found if (d.file, _cause(d)) not in misspelt]
    return list(dict.fromkeys(kept))


def _cause(diagnostic: Diagnostic) -> str:
    """The field that a mistake is owed to if that one is misspelt."""
    if diagnostic.name == "missing-field":
        return diagnostic.field
    return _sibling(diagnostic, "repeat") if diagnostic.name == "wrong-length" else ""


def _sibling(diagnostic: Diagnostic, name: str) -> str:
    parent, dot, _ = diagnostic.field.rpartition(".")
    return f"{parent}{dot}{name}"
