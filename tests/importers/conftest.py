"""Descriptions of networks, as files in the folder of a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import efspec
from efspec.importers import Imported, import_networks
from efspec.spec.schema import NetworkSpec

Import = Callable[..., list[Imported]]
Mistakes = Callable[..., list[efspec.Diagnostic]]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Imports a description, given as values or as text, from a file."""

    def imported_(data: Any, ending: str = "json", **options: Any) -> list[Imported]:
        file = tmp_path / f"net.{ending}"
        file.write_text(data if isinstance(data, str) else json.dumps(data, indent=1))
        return import_networks(file, **options)

    return imported_


@pytest.fixture
def mistakes(imported: Import) -> Mistakes:
    """What is wrong with a description."""

    def mistakes_(data: Any, ending: str = "json", **options: Any) -> list[efspec.Diagnostic]:
        with pytest.raises(efspec.EfspecError) as error:
            imported(data, ending, **options)
        return list(error.value.diagnostics)

    return mistakes_


def alike(one: NetworkSpec, other: NetworkSpec) -> bool:
    """Whether two specs are equal but for what they are called."""
    update = {"name": other.name, "description": other.description}
    return one.model_copy(update=update) == other
