"""A cost model as YAML: a line for each figure, for people and for diffs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from efspec.latency.model import CostModelSpec
from efspec.spec.dump import compact, field_lines

LINE_LENGTH = 96


def model_lines(model: CostModelSpec) -> list[str]:
    """The lines of a model, which read as an equal one."""
    return ["model:", *_fields(compact(model), "  ")]


def _fields(values: dict[str, object], indent: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            yield f"{indent}{name}:"
            yield from _fields(value, f"{indent}  ")
        elif isinstance(value, list) and any(_is_long(item) for item in value):
            yield f"{indent}{name}:"
            for item in value:
                yield from _item(item, f"{indent}  ")
        else:
            yield from field_lines(f"{indent}{name}: ", value)


def _item(item: object, indent: str) -> Iterator[str]:
    if not isinstance(item, str):
        yield from field_lines(f"{indent}- ", item)
        return
    yield f"{indent}- >-"
    width = LINE_LENGTH - len(indent)
    yield from (f"{indent}  {line}" for line in textwrap.wrap(item, width, break_on_hyphens=False))


def _is_long(item: object) -> bool:
    return isinstance(item, dict) or (isinstance(item, str) and item.endswith("."))
