"""What `efspec build` can write: of each target its file's ending, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from efspec.record import Record

if TYPE_CHECKING:
    from torch import Tensor

    from efspec.plan import Plan
    from efspec.pytorch.source import Source

Step = Callable[[str], None]


class Made(NamedTuple):
    """What a target gives.

    Attributes:
        data: Bytes of its file.
        check: How it was checked, and with what result; empty if it was not.
    """

    data: bytes
    check: str = ""


class Options(Record):
    """What a user can want of single targets."""


NO_OPTIONS = Options()


class Ingredients:
    """What targets are made of; weights are read or drawn once, by the first that needs them.

    Args:
        plan: The network.
        source: A checkpoint in any known layout; None for initial weights.
        seed: Seed of the initial weights.
        options: What the user wants of single targets.
        step: Called at the start of each step with what it does.
        remark: Called with each thing that was done to a checkpoint besides renaming.
    """

    def __init__(
        self,
        plan: Plan,
        source: Source | None = None,
        seed: int = 0,
        *,
        options: Options = NO_OPTIONS,
        step: Step = lambda description: None,
        remark: Step = lambda description: None,
    ) -> None:
        self.plan = plan
        self.seed = seed
        self.options = options
        self.step = step
        self._source = source
        self._remark = remark

    @cached_property
    def state(self) -> Mapping[str, Tensor]:
        """The state dict; two steps.

        Raises:
            EfspecError: When the checkpoint is of another network.
        """
        self.step("loading torch")
        import_module("torch")  # what takes long is shown as itself

        self.step("reading weights" if self._source else "drawing initial weights")
        from efspec.pytorch.adapt import complete
        from efspec.pytorch.build import build_module
        from efspec.pytorch.checkpoints import take

        if self._source is None:
            return build_module(self.plan, self.seed).state_dict()
        adapted = take(self.plan, self._source)
        for text in adapted.remarks():
            self._remark(text)
        return complete(self.plan, adapted, self.seed)


class Target(NamedTuple):
    """Something that a build can write.

    Attributes:
        suffix: Ending of its file's name.
        make: What gives its content.
        steps: How many steps that takes, besides getting weights.
        needs_weights: Whether it uses `Ingredients.state`.
    """

    suffix: str
    make: Callable[[Ingredients], Made]
    steps: int
    needs_weights: bool


def steps(targets: tuple[str, ...]) -> int:
    """How many steps it takes to make targets."""
    wanted = [TARGETS[name] for name in set(targets)]
    return sum(t.steps for t in wanted) + 2 * any(t.needs_weights for t in wanted)


def _code(of: Ingredients) -> Made:
    of.step("writing code")
    from efspec.codegen import generate

    return Made(generate(of.plan).encode())


def _weights(of: Ingredients) -> Made:
    state = of.state
    from efspec.pytorch.checkpoints import encode

    return Made(encode(of.plan, state, ".safetensors"))


TARGETS = {
    "code": Target(".py", _code, steps=1, needs_weights=False),
    "weights": Target(".safetensors", _weights, steps=0, needs_weights=True),
}
"""Every target there is, in the order in which they are made and listed."""
