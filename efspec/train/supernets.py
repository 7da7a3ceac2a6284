"""How supernets are trained: V2's by the sandwich rule, V1's as a mixture of its paths."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from efspec.errors import fail
from efspec.record import Record
from efspec.spec.candidates import Candidate, largest, smallest
from efspec.spec.space import SpaceSpec
from efspec.supernet import (
    MetaPaths,
    Slimmable,
    Supernet,
    accumulate,
    calibrate,
    sandwich,
    temperature,
)
from efspec.supernet.layout import whole
from efspec.train.groups import Treatment, grouped, treatments
from efspec.train.loaders import Loaders
from efspec.train.methods import Lesson
from efspec.train.rating import Rating, rate
from efspec.train.recipe import RecipeSpec, SupernetSpec


class _OfSupernets(Record):
    """What the methods of all supernets have in common."""

    wanted: SupernetSpec
    has_unused = True

    def prepared(
        self, module: nn.Module, recipe: RecipeSpec, accelerator: Accelerator
    ) -> nn.Module:
        """See `Method`. Each process has batch norms of its own; they are averaged in the end."""
        del recipe
        return module.to(accelerator.device)

    def checkpoint(self, module: nn.Module) -> None:
        """See `Method`.

        Raises:
            EfspecError: Always: a supernet's stages are no modules that could be run again.
        """
        del module
        raise fail(
            "no-checkpointing",
            "a supernet keeps what it computes",
            field="gradient_checkpointing",
            fix="set the recipe's gradient_checkpointing to false",
        )

    def groups(self, module: nn.Module, recipe: RecipeSpec) -> list[dict[str, Any]]:
        """See `Method`."""
        assert isinstance(module, Supernet)
        return supernet_groups(module, recipe)

    def rate(self, module: nn.Module, read: Loaders, accelerator: Accelerator) -> Rating:
        """See `Method`."""
        assert isinstance(module, Supernet)
        module.eval()
        space = module.layout.space
        most, least = (rate_member(module, c, read, accelerator) for c in ends(space))
        return most.replaced(smallest_top1=least.top1)


class Sandwich(_OfSupernets):
    """V2's: the largest member, the smallest and two random ones learn from each batch."""

    def learn(self, parallel: nn.Module, lesson: Lesson) -> Tensor:
        """See `Method`."""
        # Of all processes alike: they share gradients.
        chance = random.Random(f"{lesson.moment.seed} {lesson.moment.step}")
        losses = accumulate(
            parallel,
            lesson.images,
            sandwich(supernet_of(parallel).layout.space, chance),
            lesson.loss,
            distil=self.wanted.distil,
            backward=lesson.backward,
        )
        return sum(losses[1:], losses[0]) / len(losses)


class Mixture(_OfSupernets):
    """V1's: paths are mixed, ever less; statistics of members are found afterwards."""

    def learn(self, parallel: nn.Module, lesson: Lesson) -> Tensor:
        """See `Method`."""
        supernet = supernet_of(parallel)
        assert isinstance(supernet, MetaPaths)
        supernet.temperature = temperature(lesson.moment.progress, *self.wanted.temperature)
        value = lesson.loss(parallel(lesson.images))
        lesson.backward(value)
        return value.detach()


KINDS: dict[str, Callable[[SpaceSpec, RecipeSpec], Supernet]] = {
    "slimmable": lambda space, recipe: Slimmable(space, recipe.seed),
    "metapaths": lambda space, recipe: MetaPaths(space, recipe.seed, recipe.supernet.noise),
}
"""What makes a supernet of each kind."""


def method_of(supernet: Supernet, recipe: RecipeSpec) -> Sandwich | Mixture:
    """How a supernet is trained."""
    kind = Mixture if isinstance(supernet, MetaPaths) else Sandwich
    return kind(recipe.supernet)


def supernet_of(parallel: nn.Module) -> Supernet:
    """The supernet in what several processes share."""
    found = parallel if isinstance(parallel, Supernet) else parallel.module
    assert isinstance(found, Supernet)
    return found


def ends(space: SpaceSpec) -> tuple[Candidate, Candidate]:
    """The largest member of a space and the smallest."""
    return largest(space), smallest(space)


def rate_member(
    supernet: Supernet, candidate: Candidate, read: Loaders, accelerator: Accelerator
) -> Rating:
    """How good a member is, with statistics of its own."""
    batches = (images.to(accelerator.device) for images, _ in read.calibrating())
    statistics = calibrate(supernet, candidate, batches)
    return rate(
        lambda images: logits_of(supernet(images, candidate, statistics)),
        read.rated(),
        accelerator,
    )


def logits_of(outputs: Any) -> Tensor:
    """What a classifier gives in eval mode, whatever its head."""
    assert isinstance(outputs, Tensor)
    return outputs


def supernet_groups(supernet: Supernet, recipe: RecipeSpec) -> list[dict[str, Any]]:
    """A supernet's parameters in groups: the plans of its members say which is which."""
    known: dict[str, Treatment] = {}
    for attention in (False, True):
        one = supernet.subnet(whole(supernet.layout.space, attention))
        by_name = treatments(one.plan)
        for site in one.sites:
            # The batch norms of all choices of channels are trained alike.
            home = site.home.rpartition(".")[0] if site.buffers else site.home
            known |= {f"{home}.{name}": by_name[site.prefix + name] for name in site.parameters}
    last = max(one.depth for one in known.values())
    found = []
    for name, parameter in supernet.named_parameters():
        home, _, own = name.rpartition(".")
        treatment = known.get(name) or known.get(f"{home.rpartition('.')[0]}.{own}")
        # What belongs to no op are importances of paths.
        found.append((parameter, treatment or Treatment(decays=False, depth=last)))
    return grouped(found, recipe)
