"""What a pass gives."""

from __future__ import annotations

from efspec.deploy.weights import Change, State, Weights
from efspec.plan import Plan
from efspec.record import Node


class Rewriting(Node):
    """A plan after a pass, and what has to be done to the weights.

    Attributes:
        plan: The plan.
        changes: Changes of the weights, in order.
    """

    plan: Plan
    changes: tuple[Change, ...] = ()

    def of(self, weights: Weights) -> Weights:
        """The weights of the plan, from those of the plan before the pass."""
        state: State = dict(weights)
        for change in self.changes:
            change(state)
        return state
