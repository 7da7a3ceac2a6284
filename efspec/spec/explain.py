"""What pydantic found wrong, in efspec's words, at the lines where it was written."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from efspec.blocks import BLOCKS, DOWNSAMPLES, HEADS, STEMS
from efspec.blocks.options import Part, counted
from efspec.errors import Diagnostic, suggestion
from efspec.spec.fields import Field, follow
from efspec.spec.schema import Defaults, InputSpec, NetworkSpec, StageSpec
from efspec.spec.source_map import Loc, SourceMap, field_text

_KINDS: dict[str, tuple[type[Part], ...]] = {
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
_FLAGS = {
    **dict.fromkeys(["yes", "on", "y", "true"], "true"),
    **dict.fromkeys(["no", "off", "n", "false"], "false"),
}


def explain(error: ValidationError, source_map: SourceMap) -> list[Diagnostic]:
    """The mistakes of a spec.

    Args:
        error: What pydantic says of `NetworkSpec`.
        source_map: Where the spec was written.
    """
    found: list[Diagnostic] = []
    for details in error.errors(include_url=False):
        if details["type"] == "parts":  # one error of pydantic's, several of ours
            mistakes: list[tuple[Loc, PydanticCustomError]] = details["ctx"]["mistakes"]
            found += [
                _custom(_Error(follow(loc), e.type, None, e.context or {}, source_map), str(e))
                for loc, e in mistakes
            ]
        elif not _is_echo(details):
            found.append(_explained(details, source_map))
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


def _explained(details: ErrorDetails, source_map: SourceMap) -> Diagnostic:
    kind, value = details["type"], details["input"]
    error = _Error(follow(details["loc"]), kind, value, details.get("ctx", {}), source_map)
    match kind:
        case "missing":
            return _missing(error)
        case "extra_forbidden" | "invalid_key":
            return _unknown_field(error)
        case "union_tag_not_found":
            types = ", ".join(error.at.types)
            return error.diagnostic("missing-type", "it has no `type`", expected=types)
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
            return error.diagnostic("wrong-type", _found(value), fix=_type_fix(error))


def _missing(error: _Error) -> Diagnostic:
    name = error.at.loc[-1]
    fix = "begin the file with `efspec: 1`" if name == "efspec" else f"add `{name}`"
    return error.diagnostic("missing-field", "it is required, and missing", fix=fix)


def _unknown_field(error: _Error) -> Diagnostic:
    name = str(error.at.loc[-1])
    known = error.at.siblings
    if len(error.at.loc) == 1:
        known = (*known, "extends", "set")
    fix = suggestion(name, known)
    owners = [
        f"the {kind} `{part.model_fields['type'].default}`"
        for kind, parts in _KINDS.items()
        for part in parts
        if name in part.model_fields
    ] + [owner for part, owner in _OWNERS.items() if name in part.model_fields]
    if not fix and name in NetworkSpec.model_fields:
        fix = f"`{name}` is a field of the network: it stands at the top, without indentation"
    elif not fix and owners:
        fix = f"`{name}` is a field of {_one_of(owners)}"
    message = f"there is no field {_show(name, quote='`')} here"
    return error.diagnostic("unknown-field", message, expected=", ".join(known), fix=fix, key=True)


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


def _types(parts: tuple[type[BaseModel], ...]) -> tuple[str, ...]:
    return tuple(part.model_fields["type"].default for part in parts)


def _wrong_length(error: _Error) -> Diagnostic:
    count = len(error.value)
    found = counted(count, "value")
    if error.context.get("min_length") == error.context.get("max_length") or count > 1:
        name = "too-long" if error.kind == "too_long" else "wrong-length"
    else:
        name = "empty-list" if not count else "wrong-length"
    return error.diagnostic(name, found if count else "the list is empty")


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


def _found(value: object) -> str:
    """What a value is."""
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
            return f"{_show(value)} is a number with decimals"
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
            return f"{value:g}" if math.isfinite(value) else f"{value}".replace("inf", "infinity")
    return repr(value)


def _one_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is only too short because its elements are wrong, which is said already."""
    value, context = details["input"], details.get("ctx", {})
    return details["type"] == "too_short" and len(value) >= context["min_length"]


def _without_consequences(found: list[Diagnostic]) -> list[Diagnostic]:
    """The mistakes without missing fields that are there, but misspelt."""
    misspelt = {
        (d.file, d.field.rpartition(".")[0] + "." + d.fix.split("`")[1])
        for d in found
        if d.name == "unknown-field" and d.fix.startswith("did you mean")
    }
    kept = [
        d
        for d in found
        if d.name != "missing-field"
        or (d.file, d.field if "." in d.field else f".{d.field}") not in misspelt
    ]
    return list(dict.fromkeys(kept))
