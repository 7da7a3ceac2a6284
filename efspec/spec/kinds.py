"""What a file is, right or wrong, by what only such files have: a network or a search space."""

from __future__ import annotations

OPEN = frozenset({"depth", "block"})
"""Fields of every stage of a search space, and of none of a network."""


def is_space(data: object) -> bool:
    """Whether something is a search space: one of its stages says how deep it may be, and of what.

    Args:
        data: What a file holds, as plain values.
    """
    return any(stage.keys() >= OPEN for stage in _stages(data))


def is_network(data: object) -> bool:
    """Whether something is a network: it has stages of blocks, none of them open, or extends one.

    Args:
        data: What a file holds, as plain values.
    """
    if isinstance(data, dict) and "extends" in data:
        return True
    fields = set[object]().union(*_stages(data))
    return "blocks" in fields and not fields & OPEN


def _stages(data: object) -> list[dict[object, object]]:
    """The stages of whatever has some."""
    stages = data.get("stages") if isinstance(data, dict) else None
    return [s for s in stages if isinstance(s, dict)] if isinstance(stages, list) else []
