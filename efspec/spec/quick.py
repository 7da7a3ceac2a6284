"""Specs of JSON that are right, read quickly: what search programs emit by the million.

Nothing is told of what is wrong. Whatever is not plainly right is left to the readers that take
care, and know positions.
"""

from __future__ import annotations

from functools import partial

import orjson
from pydantic import ValidationError

from efspec.spec.json_reader import read_json
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Source, SourceMap


def read_quickly(source: Source) -> NetworkSpec | None:
    """The spec of a JSON text; None where it is wrong, or has to be read with care."""
    text = source.text
    try:
        data = orjson.loads(text)
        if type(data) is not dict or "extends" in data or "set" in data or not _is_all(data, text):
            return None
        spec = NetworkSpec.model_validate(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, ValidationError):
        return None
    spec._source_map = SourceMap(partial(read_json, source, []))
    return spec


def _is_all(data: object, text: str) -> bool:
    """Whether values are all that a text says: of a key that is there twice, they hold one."""
    # Then a colon is missing, too. Within a text a colon may be written by its number, U+003A.
    return orjson.dumps(data).count(b":") == text.count(":") and "\\u003" not in text
