"""One network's description in a file, and the check of it by a model."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from efspec.errors import Diagnostic, EfspecError
from efspec.record import Record
from efspec.spec.explain import explain
from efspec.spec.source_map import Loc, Node, SourceMap, field_text, plain


class Format(StrEnum):
    """How a network may be described."""

    official = "official"
    timm = "timm"
    ofa = "ofa"
    spec = "spec"


class Description(Record):
    """What is said of one network.

    Attributes:
        format: How it is written.
        root: What it says, by the names that the format's model has.
        path: Where it stands in the file.
        name: The key that it stands under, if its file holds several by name.
        written: How a field is written, where that is not below `path` and under its own name.
        left_out: What the file says besides that is no part of a network, in words.
    """

    format: Format
    root: Node
    path: Loc = ()
    name: str = ""
    written: Mapping[str, Loc] = MappingProxyType({})
    left_out: tuple[str, ...] = ()

    def label(self) -> str:
        """What the network is called in the file; empty if it has no name."""
        own = self.root.value.get("name") if isinstance(self.root.value, dict) else None
        return self.name or (own.value if own and isinstance(own.value, str) else "")

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic of the fields, with its field as it is written."""
        head = diagnostic.field.partition(".")[0].partition("[")[0]
        rest = diagnostic.field.removeprefix(head)
        path = self.written.get(head, (*self.path, head) if head else self.path)
        return diagnostic.replaced(field=field_text(path) + rest)


ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], data: object, description: Description) -> ModelT:
    """A model of a description's fields.

    Args:
        model: The model.
        data: What it is made from.
        description: Where that was written.

    Raises:
        EfspecError: With every mistake, where it is written.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = explain(error, SourceMap(description.root), model)
        raise EfspecError(map(description.located, found)) from None


def checked(model: type[ModelT], description: Description) -> ModelT:
    """A model of what a description says.

    Raises:
        EfspecError: With every mistake, where it is written.
    """
    return validated(model, plain(description.root), description)
