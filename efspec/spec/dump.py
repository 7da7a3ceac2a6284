"""Writing specs: YAML in the style of the shipped ones, and JSON; and the hash of a spec."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import orjson
from pydantic import BaseModel

from efspec.blocks.features_head import FeaturesHeadSpec
from efspec.blocks.options import BlockSpec
from efspec.errors import fail
from efspec.spec.schema import LinearSchedule, NetworkSpec

LINE_LENGTH = 100

_PLAIN = r"[A-Za-z](?:[A-Za-z0-9 _.,/+()-]*[A-Za-z0-9_./+)-])?"
_READ_AS_OTHERS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Words that YAML 1.1 or 1.2 does not read as strings; in lower case."""

Data = dict[str, object]


def dump(
    spec: NetworkSpec,
    *,
    format: Literal["yaml", "json"] = "yaml",
    resolved: bool = False,
    schema: str = "",
) -> str:
    """The text of a spec, which loads to an equal one.

    Args:
        spec: The spec.
        format: YAML, or JSON on one line.
        resolved: Whether to write every field, with what it inherits, instead of only what
            differs from the defaults.
        schema: Address of the JSON Schema that editors are to use, written as a YAML comment.

    Raises:
        EfspecError: When there is no such format.
    """
    if format not in ("yaml", "json"):
        raise fail("unknown-format", f"there is no format {format!a}", expected="yaml, json")
    if format == "json" and resolved:
        return _resolved(spec).decode()
    data: Data = orjson.loads(_resolved(spec)) if resolved else compact(spec)
    if format == "json":
        return orjson.dumps(data, default=vars, option=orjson.OPT_APPEND_NEWLINE).decode()
    lines = [f"# yaml-language-server: $schema={schema}"] * bool(schema)
    for key, value in data.items():
        if key == "stages":
            lines.append("stages:")
            for stage in spec.stages if not resolved else value:  # type: ignore[attr-defined]
                lines += _stage_lines(stage if resolved else compact(stage))
        else:
            lines += field_lines(f"{key}: ", value)
    return "\n".join(lines) + "\n"


def spec_hash(spec: NetworkSpec) -> str:
    """The sha256 of a spec's resolved dump in JSON, in hexadecimal.

    Specs that mean the same and are written differently, in defaults that are or are not
    spelled out, have the same hash; a number for all repeats and a list of it have not.
    """
    return hashlib.sha256(_resolved(spec)).hexdigest()


def compact(part: BaseModel) -> Data:
    """A part's fields that are not what they are by default, and what must be there."""
    data: Data = {}
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        if name == "type" or info.is_required() or value != info.default:
            data[name] = _compact_value(value)
    return data


def _compact_value(value: object) -> object:
    if isinstance(value, BaseModel):
        return compact(value)
    return [_compact_value(v) for v in value] if isinstance(value, tuple) else value


def _resolved(spec: NetworkSpec) -> bytes:
    """A spec as JSON, every field of it, with what it inherits in its place."""
    defaults = spec.defaults
    inherited: Data = {"act": defaults.act, "layer_scale": defaults.layer_scale}
    data: Data = spec.__dict__
    if isinstance(defaults.drop_path, LinearSchedule):
        data = {**data, "stages": _with_rates(spec)}
    else:
        inherited["drop_path"] = defaults.drop_path
    text = orjson.dumps(data, default=vars, option=orjson.OPT_APPEND_NEWLINE)
    for name, value in inherited.items():
        # It is a field that is found: quotes within a name or a description are escaped.
        field = b'"%b":' % name.encode()
        text = text.replace(field + b'"inherit"', field + orjson.dumps(value))
    return text


def _with_rates(spec: NetworkSpec) -> list[Data]:
    """The stages of a spec, with the rates that a schedule gives to blocks that inherit it."""
    rates = iter(drop_rates(spec))
    stages = []
    for stage in spec.stages:
        blocks: list[object] = []
        for entry in stage.blocks:
            own = [next(rates) for _ in range(entry.repeat)]
            inherits = entry.__dict__.get("drop_path") == "inherit"
            rate = own[0] if len(own) == 1 else own
            blocks.append({**entry.__dict__, "drop_path": rate} if inherits else entry)
        stages.append({**stage.__dict__, "blocks": blocks})
    return stages


def drop_rates(spec: NetworkSpec) -> list[float]:
    """The drop-path probability of every block of the network, in order."""
    blocks = [(block, i) for stage in spec.stages for block in stage.blocks for i in _each(block)]
    schedule = spec.defaults.drop_path
    if not isinstance(schedule, LinearSchedule):
        return [block.drop_rate(i, schedule) for block, i in blocks]
    # A pyramid's network ends with the last stage that is wanted: its depth is what counts.
    head, stages = spec.head, spec.stages
    used = stages[: head.stages[-1] + 1] if isinstance(head, FeaturesHeadSpec) else stages
    last = max(sum(block.repeat for stage in used for block in stage.blocks) - 1, 1)
    return [
        block.drop_rate(i, schedule.linear * min(depth, last) / last)
        for depth, (block, i) in enumerate(blocks)
    ]


def drops(spec: NetworkSpec) -> bool:
    """Whether any block of the network is ever dropped."""
    rate = spec.defaults.drop_path
    if isinstance(rate, LinearSchedule):
        return any(drop_rates(spec))
    for stage in spec.stages:  # not `any`: this is asked of every spec that is scored
        for entry in stage.blocks:
            if entry.drops(rate):
                return True
    return False


def _each(block: BlockSpec) -> range:
    return range(block.repeat)


def _stage_lines(stage: Data) -> list[str]:
    lines: list[str] = []
    for key, value in stage.items():
        margin = "    " if lines else "  - "
        if key == "blocks":
            lines.append(f"{margin}blocks:")
            for block in value:  # type: ignore[attr-defined]  # a list
                lines += field_lines("      - ", block)
        else:
            lines += field_lines(f"{margin}{key}: ", value)
    return lines


def field_lines(start: str, value: object) -> list[str]:
    """A value behind the start of its line, wrapped where its words allow."""
    words = _words(value)
    indent = " " * (len(start) - len(start.lstrip(" -")) + 2)
    lines = [start + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > LINE_LENGTH:
            lines.append(indent + word)
        else:
            lines[-1] += f" {word}"
    return lines


def flow(value: object) -> str:
    """A value in flow style, on one line."""
    return " ".join(_words(value))


def _words(value: object, *, inside: bool = False) -> list[str]:
    """A value in flow style, in pieces between which a line may break.

    Args:
        value: The value.
        inside: Whether it is in another, where commas stand between values.
    """
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, dict):
        value = {key: value[key] for key in sorted(value, key=lambda key: key != "type")}
        items = [
            [f"{key}: {words[0]}", *words[1:]]
            for key, v in value.items()
            for words in [_words(v, inside=True)]
        ]
        return _enclosed("{", items, "}")
    if isinstance(value, list | tuple):
        return _enclosed("[", [_words(v, inside=True) for v in value], "]")
    if inside and isinstance(value, str) and "," in value:
        return [orjson.dumps(value).decode()]
    return [_scalar(value)]


def _enclosed(start: str, items: list[list[str]], end: str) -> list[str]:
    words = [word for item in items for word in (*item[:-1], f"{item[-1]},")]
    if not words:
        return [start + end]
    words[-1] = words[-1].removesuffix(",") + end
    words[0] = start + words[0]
    return words


def _scalar(value: object) -> str:
    if isinstance(value, str):
        safe = re.fullmatch(_PLAIN, value) and value.lower() not in _READ_AS_OTHERS
        return value if safe else orjson.dumps(value).decode()
    if isinstance(value, float):
        return _number(value)
    return orjson.dumps(value).decode()


def _number(value: float) -> str:
    """A float so that YAML 1.1 and 1.2 read it as the same number."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    mantissa, e, exponent = repr(value).partition("e")
    if not e:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"
