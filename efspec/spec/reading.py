"""Reading files that are one mapping of known fields: constants, tables and spaces."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from efspec.blocks.options import Part
from efspec.errors import Diagnostic, EfspecError
from efspec.spec.explain import explain
from efspec.spec.files import decode, read_bytes
from efspec.spec.plugins import look_for, unknown_types
from efspec.spec.source_map import Node, Source, SourceMap, plain
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
    return checked(read_yaml(source, mistakes), model, mistakes)


def checked(root: Node, model: type[PartT], mistakes: list[Diagnostic]) -> PartT:
    """What a tree holds.

    Args:
        root: The tree.
        model: What it is to hold.
        mistakes: Those that were found in it before.

    Raises:
        EfspecError: With every mistake.
    """
    try:
        part = model.model_validate(plain(root))
    except ValidationError as error:
        search = look_for(unknown_types(error))
        if search.has_added:
            return checked(root, model, mistakes)
        mistakes += [*search.mistakes(), *explain(error, SourceMap(root), model)]
    if mistakes:
        raise EfspecError(mistakes)
    return part
