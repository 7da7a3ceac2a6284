"""The specs and spaces that `efspec latency` commands are given, and the parts that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from efspec.cli.options import InputFormat, changes, check_sources, is_space, of_each
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
    """The plans of all specs of some sources; of a space, those that have all of its parts.

    Raises:
        EfspecError: With every mistake of all.
        BadParameter: When a space is to be changed.
    """
    from efspec.spec.candidates import part_specs
    from efspec.spec.resolve import resolve
    from efspec.spec.spaces import read_space

    check_sources(sources)
    spaces = [source for source in sources if is_space(source)]
    if spaces and (sets or size):
        raise typer.BadParameter(f"--set and --size change specs, and {spaces[0]} is a space")
    plans = [resolve(spec) for space in spaces for spec in part_specs(read_space(space))]
    specs = [source for source in sources if source not in spaces]
    mistakes: list[Diagnostic] = []
    for plan in of_each(specs, changes(sets, size), input_format, resolve):
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
