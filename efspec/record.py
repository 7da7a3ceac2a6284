"""Constant records, which most classes here are.

They are what frozen dataclasses are. A dataclass compiles its methods anew for each class, and
for the sixty classes here that was a third of the time which a command took to start; the methods
of a record are written once.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Record:
    """Base of classes that are their annotated fields, compared by value and never changed."""

    fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields, in order."""
    hints: ClassVar[dict[str, str]] = {}
    """Annotation of each field, as it was written."""
    _known: ClassVar[frozenset[str]] = frozenset()
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Collect the fields that a subclass adds."""
        own = {name: str(hint) for name, hint in inspect.get_annotations(cls).items()}
        cls.hints = cls.hints | {n: hint for n, hint in own.items() if "ClassVar" not in hint}
        cls.fields = tuple(cls.hints)
        cls._known = frozenset(cls.fields)
        cls._required = frozenset(name for name in cls.fields if not hasattr(cls, name))

    def __init__(self, *values: Any, **named: Any) -> None:
        """A record of the fields' values, by position or by name."""
        if not named and len(values) == len(self.fields):  # plans are made of thousands of these
            self.__dict__.update(zip(self.fields, values, strict=True))
            return
        given = dict(zip(self.fields, values, strict=False)) | named if values else named
        if len(values) + len(named) != len(given) or (named and not named.keys() <= self._known):
            raise TypeError(f"{type(self).__name__} takes each of {self.fields} once at most")
        if len(given) < len(self.fields) and not self._required <= given.keys():
            missing = ", ".join(sorted(self._required - given.keys()))
            raise TypeError(f"{type(self).__name__} needs {missing}")
        self.__dict__.update(given)

    def replaced(self, **changes: Any) -> Self:
        """The record with other values of some fields."""
        return type(self)(**dict(zip(self.fields, self.values(), strict=True)) | changes)

    def values(self) -> tuple[Any, ...]:
        """Values of the fields, in order."""
        return tuple([getattr(self, name) for name in self.fields])

    def as_dict(self) -> dict[str, Any]:
        """Values by name, for programs; records within are dictionaries, too."""
        return {name: _plain(getattr(self, name)) for name in self.fields}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is constant")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), self.values()))

    def __repr__(self) -> str:
        pairs = zip(self.fields, self.values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"


class Node(Record):
    """A record that is itself and no other, whatever it holds."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__
    __repr__ = object.__repr__


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    return tuple(map(_plain, value)) if type(value) is tuple else value
