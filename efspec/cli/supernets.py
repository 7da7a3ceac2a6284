"""Supernets on the command line: trained into a folder, or read from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from efspec.cli.train_folder import go_on, supernet_files, train_into
from efspec.errors import fail
from efspec.record import Record

if TYPE_CHECKING:
    from accelerate import Accelerator

    from efspec.spec.space import SpaceSpec
    from efspec.supernet import Supernet
    from efspec.train.data import Data
    from efspec.train.recipe import RecipeSpec
    from efspec.train.state import State


class Wanted(Record):
    """A supernet that is wanted.

    Attributes:
        space: The space whose members it has.
        kind: A name of `efspec.train.supernets.KINDS`.
        recipe: How it is trained, and what its members are rated on.
        data: The images.
        workers: How many processes read images.
    """

    space: SpaceSpec
    kind: str
    recipe: RecipeSpec
    data: Data
    workers: int = 0

    def made(self) -> Supernet:
        """The supernet, untrained.

        Raises:
            EfspecError: When its members do not tell the classes of the images apart, or the recipe
                wants a teacher.
        """
        if self.recipe.distillation is not None:
            raise fail(
                "no-teacher",
                "a supernet learns from no other network",
                field="distillation",
                fix="set the recipe's `distillation` to null; `supernet.distil` has the largest"
                " member teach the others",
            )
        from efspec.spec.candidates import largest, member
        from efspec.spec.resolve import resolve
        from efspec.train.data import check_fits
        from efspec.train.supernets import KINDS

        plan = resolve(member(self.space, largest(self.space)))
        check_fits(plan, self.data.classes, f"{self.data.name} has")
        return KINDS[self.kind](self.space, self.recipe)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images."""
        height, width = self.space.input.height_width
        return self.space.input.channels, height, width


def trained_into(
    folder: Path, wanted: Wanted, supernet: Supernet, accelerator: Accelerator, *, resume: bool
) -> State | None:
    """Train a supernet; of one that was trained before, take the weights.

    Args:
        folder: The folder of the training.
        wanted: What is wanted.
        supernet: The supernet, which is trained in place.
        accelerator: What it is trained on.
        resume: Whether the training may have begun.

    Raises:
        EfspecError: See `efspec.train.loop.train` and `go_on`.
    """
    from efspec.spec.spaces import dump_space
    from efspec.train.loaders import loaders
    from efspec.train.loop import Job, share_of
    from efspec.train.recipes import dump_recipe
    from efspec.train.supernets import method_of

    other = {"data": wanted.data.name, "supernet": wanted.kind}
    run = {
        "space.yaml": dump_space(wanted.space),
        "recipe.yaml": dump_recipe(wanted.recipe),
        "run.json": json.dumps(other, indent=2) + "\n",
    }
    begun = go_on(folder, run, resume=resume)
    read = loaders(wanted.recipe, wanted.data, wanted.shape, share_of(accelerator), wanted.workers)
    job = Job(method_of(supernet, wanted.recipe), supernet, wanted.recipe, read)
    return train_into(folder, run, job, accelerator, begun, supernet_files(supernet))
