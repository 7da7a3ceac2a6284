"""Remembering what was computed for a block or a module.

Networks share their blocks, with each other and within one: whatever is worth computing for a
module is worth keeping. What is inline is not: it holds other modules, and there is one for each
network that is ever looked at, stages and chains included; nobody asks for it again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

MAX_KEPT = 16384


class Subject(Protocol):
    """What something is computed for."""

    @property
    def inline(self) -> bool:
        """Whether it holds other modules, and is no class of its own."""


P = ParamSpec("P")
ResultT = TypeVar("ResultT")
SubjectT = TypeVar("SubjectT", bound=Subject)

_memories: list[Callable[[], None]] = []


def remembered(
    function: Callable[Concatenate[SubjectT, P], ResultT],
) -> Callable[Concatenate[SubjectT, P], ResultT]:
    """The function of a block or a module, remembering its results for those not inline."""
    kept: Any = lru_cache(maxsize=MAX_KEPT)(function)
    _memories.append(kept.cache_clear)

    @wraps(function)
    def call(subject: SubjectT, /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        run: Callable[Concatenate[SubjectT, P], ResultT] = function if subject.inline else kept
        return run(subject, *args, **kwargs)

    return call


def forget() -> None:
    """Forget all results; what is asked for next is computed as if for the first time."""
    for clear in _memories:
        clear()
