"""The types that there are of each kind of part: those shipped, and those that packages add."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, Union

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from efspec.blocks.options import Part

PartT = TypeVar("PartT", bound=Part)


class Registry(Generic[PartT]):
    """The types of one kind of part, in the order in which they came.

    Annotating a field with a registry lets it take any of its types, which `type` tells apart:
    those that are in it when the field's model is built, or built again.
    """

    def __init__(self, *types: type[PartT]) -> None:
        self._types = {type_name(part): part for part in types}

    def __iter__(self) -> Iterator[type[PartT]]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def add(self, part: type[PartT]) -> None:
        """Add a type under its name, which is free."""
        self._types[type_name(part)] = part

    def remove(self, name: str) -> None:
        """Take away the type of a name."""
        del self._types[name]

    def union(self) -> Any:
        """Any of the types, as an annotation."""
        return Union[tuple(self)]  # noqa: UP007 - there is no other way to write one of a tuple

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return handler.generate_schema(Annotated[self.union(), Field(discriminator="type")])


def type_name(part: type[Part]) -> str:
    """What `type` says in a spec to mean a part's type."""
    return str(part.model_fields["type"].default)
