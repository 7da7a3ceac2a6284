"""Remembering what was computed for a module.

Networks share their blocks, with each other and within one: whatever is worth computing for a
module is worth keeping, for as long as the module is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Protocol, TypeVar, TypeVarTuple


class Subject(Protocol):
    """What something is computed for."""

    @property
    def results(self) -> dict[Hashable, Any]:
        """What was computed for it before."""


SubjectT = TypeVar("SubjectT", bound=Subject)
Rest = TypeVarTuple("Rest")
ResultT = TypeVar("ResultT")


def remembered(
    function: Callable[[SubjectT, *Rest], ResultT],
) -> Callable[[SubjectT, *Rest], ResultT]:
    """The function of a module and of constants, which keeps its results with the module."""

    @wraps(function)
    def call(subject: SubjectT, /, *rest: *Rest) -> ResultT:
        results: dict[Hashable, ResultT] = subject.results
        key = (function, *rest)
        if key not in results:
            results[key] = function(subject, *rest)
        return results[key]

    return call
