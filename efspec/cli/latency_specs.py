"""The specs that `efspec latency` commands are given, and the parts that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efspec.cli.options import InputFormat, changes, check_sources, of_each
from efspec.errors import Diagnostic, EfspecError

if TYPE_CHECKING:
    from efspec.latency.probe import Wanted
    from efspec.plan import Plan
    from efspec.plan.key import BlockKey


def read_plans(
    sources: list[str],
    sets: list[str] | None,
    size: str | None,
    input_format: InputFormat | None,
) -> list[Plan]:
    """The plans of all specs of some sources.

    Raises:
        EfspecError: With every mistake of all.
    """
    from efspec.spec.resolve import resolve

    check_sources(sources)
    plans: list[Plan] = []
    mistakes: list[Diagnostic] = []
    for plan in of_each(sources, changes(sets, size), input_format, resolve):
        if isinstance(plan, EfspecError):
            mistakes += plan.diagnostics
        else:
            plans.append(plan)
    if mistakes:
        raise EfspecError(mistakes)
    return plans


def parts_of(plans: list[Plan]) -> dict[BlockKey, Wanted]:
    """The parts of networks by their keys."""
    from efspec.latency.probe import wanted

    return wanted(plans)
