"""Constant records, for the many small classes that ops and blocks are.

They are what frozen dataclasses are. A dataclass compiles its methods anew for each class, and
for the forty classes here that was a third of the time which a command took to start; the methods
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
    _known: ClassVar[frozenset[str]] = frozenset()
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Collect the fields that a subclass adds."""
        own = (n for n, hint in inspect.get_annotations(cls).items() if "ClassVar" not in str(hint))
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))
        cls._known = frozenset(cls.fields)
        cls._required = frozenset(name for name in cls.fields if not hasattr(cls, name))

    def __init__(self, *values: Any, **named: Any) -> None:
        """A record of the fields' values, by position or by name."""
        given = dict(zip(self.fields, values, strict=False)) | named if values else named
        if len(values) + len(named) != len(given) or not given.keys() <= self._known:
            raise TypeError(f"{type(self).__name__} takes each of {self.fields} once at most")
        if not self._required <= given.keys():
            missing = ", ".join(sorted(self._required - given.keys()))
            raise TypeError(f"{type(self).__name__} needs {missing}")
        self.__dict__.update(given)

    def replaced(self, **changes: Any) -> Self:
        """The record with other values of some fields."""
        return type(self)(**self.__dict__ | changes)

    def values(self) -> tuple[Any, ...]:
        """Values of the fields, in order."""
        return tuple(getattr(self, name) for name in self.fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is constant")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), self.values()))

    def __repr__(self) -> str:
        pairs = zip(self.fields, self.values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"
