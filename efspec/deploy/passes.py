"""The passes in order, and what they make of a network."""

from __future__ import annotations

from collections.abc import Callable

from efspec.deploy.attention_bias import look_up_attention_bias, mix_attention_bias
from efspec.deploy.batch_norm import fold_batch_norm
from efspec.deploy.final_norm import fold_final_norm
from efspec.deploy.heads import merge_heads
from efspec.deploy.identities import bypass_identities
from efspec.deploy.layer_scale import fold_layer_scale
from efspec.deploy.query_scale import fold_query_scale
from efspec.deploy.rewriting import Rewriting
from efspec.deploy.subsampling import fold_subsampling
from efspec.deploy.training_only import drop_training_only
from efspec.deploy.transposes import fold_transposes
from efspec.deploy.weights import Weights
from efspec.plan import Plan
from efspec.record import Node, Record

Pass = Callable[[Plan], Rewriting]
"""A plan to a leaner one of the same function, and to what becomes of the weights."""

PASSES: tuple[Pass, ...] = (
    drop_training_only,
    bypass_identities,
    fold_batch_norm,
    fold_layer_scale,  # behind what a norm may have stood
    fold_query_scale,
    fold_subsampling,
    look_up_attention_bias,
    mix_attention_bias,
    merge_heads,
    fold_final_norm,
    fold_transposes,
)


class Done(Record):
    """What a pass did.

    Attributes:
        name: Name of the pass.
        before: Ops of the network before it.
        after: Ops of the network after it.
    """

    name: str
    before: int
    after: int


class Deployed(Node):
    """A network rewritten for inference.

    Attributes:
        plan: Its plan.
        done: What each pass did, in order.
        rewritings: What each pass gave.
    """

    plan: Plan
    done: tuple[Done, ...]
    rewritings: tuple[Rewriting, ...]

    def of(self, weights: Weights) -> Weights:
        """The weights of the plan, from those of the network before.

        Sums are in double precision, and rounded to the type of the weights once per pass.

        Args:
            weights: Parameters and buffers, as arrays by their names in the state dict.
        """
        for rewriting in self.rewritings:
            weights = rewriting.of(weights)
        return weights


def deploy(plan: Plan) -> Deployed:
    """A network of the same function in inference, in fewer ops.

    Every pass is exact in real arithmetic, whatever the weights are.
    """
    done, rewritings = [], []
    for one in PASSES:
        rewriting = one(plan)
        done.append(Done(one.__name__, len(plan.ops()), len(rewriting.plan.ops())))
        rewritings.append(rewriting)
        plan = rewriting.plan
    return Deployed(plan.replaced(deployed=True), tuple(done), tuple(rewritings))
