"""Reading files that are one mapping of known fields: constants, tables and spaces."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from efspec.blocks.options import Part
from efspec.errors import Diagnostic, EfspecError
from efspec.spec.explain import explain
from efspec.spec.files import decode, read_bytes
from efspec.spec.source_map import Source, SourceMap, plain
from efspec.spec.yaml_reader import read_yaml

PartT = TypeVar("PartT", bound=Part)


def read_part(file: Path, model: type[PartT]) -> PartT:
    """What a YAML file holds.

    Raises:
        EfspecError: With every mistake of the file.
    """
    return part_of(decode(read_bytes(file), str(file)), model)


def part_of(source: Source, model: type[PartT]) -> PartT:
    """What a YAML text holds.

    Raises:
        EfspecError: With every mistake of the text.
    """
    mistakes: list[Diagnostic] = []
    root = read_yaml(source, mistakes)
    try:
        part = model.model_validate(plain(root))
    except ValidationError as error:
        mistakes += explain(error, SourceMap(lambda: root), model)
    if mistakes:
        raise EfspecError(mistakes)
    return part
