"""A plan's ops with their neighbours: what passes look for patterns in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

from efspec.plan import PlacedOp, Plan
from efspec.plan.ops import Op

OpT = TypeVar("OpT", bound=Op)


class Graph:
    """The ops of a plan, and who makes and who reads each value."""

    def __init__(self, plan: Plan) -> None:
        self.ops = plan.ops()
        self._makers = {number: placed for placed in self.ops for number in placed.outputs}
        self._readers: dict[int, list[PlacedOp]] = defaultdict(list)
        for placed in self.ops:
            for number in placed.inputs:
                self._readers[number].append(placed)
        self._results = frozenset(plan.outputs())

    def of(self, kind: type[OpT]) -> Iterator[tuple[PlacedOp, OpT]]:
        """The ops of a kind, in order of execution."""
        for placed in self.ops:
            if isinstance(placed.op, kind):
                yield placed, placed.op

    def maker(self, placed: PlacedOp, number: int = 0) -> PlacedOp | None:
        """The op that makes an input; None for the network's own input."""
        return self._makers.get(placed.inputs[number])

    def readers(self, placed: PlacedOp, number: int = 0) -> list[PlacedOp]:
        """The ops that read a result, once for each time; none if the network returns it, too."""
        value = placed.outputs[number]
        return [] if value in self._results else self._readers[value]

    def only_reader(self, placed: PlacedOp, number: int = 0) -> PlacedOp | None:
        """The op that reads a result, if nothing else does."""
        readers = self.readers(placed, number)
        return readers[0] if len(readers) == 1 else None
