"""What a search on the command line takes accuracies from."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from efspec.errors import fail
from efspec.record import Record

if TYPE_CHECKING:
    from accelerate import Accelerator

    from efspec.search.evaluation import Evaluate, Spread
    from efspec.search.slimming import Importances
    from efspec.spec.candidates import Candidate
    from efspec.spec.schema import NetworkSpec
    from efspec.spec.space import SpaceSpec

    CutOut = Callable[[Candidate, str], tuple[NetworkSpec, Any, Mapping[str, Any]]]

TRAINING = "supernet"
"""The folder, within a run's, of the training of its supernet."""


class Ready(Record):
    """What finds accuracies, when it can begin.

    Attributes:
        evaluate: What finds the accuracy of a candidate.
        spread: What has several found; None for one after the other.
        importances: Of V1's paths, where they are known.
        cut_out: A candidate of a name as a spec, a plan and weights; None where there are none.
    """

    evaluate: Evaluate
    spread: Spread | None = None
    importances: Importances | None = None
    cut_out: CutOut | None = None


class Asked(Record):
    """What is asked for accuracies.

    Attributes:
        name: What it is called: a run that is gone on with has the same.
        ready: Makes it ready, for a run's folder and whether the run may have begun.
        accelerator: Where several processes search together; None for one alone.
    """

    name: str
    ready: Callable[[Path, bool], Ready]
    accelerator: Accelerator | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.accelerator is None or self.accelerator.is_main_process

    def wait(self) -> None:
        """Wait for the other processes."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()


def by_user(
    space: SpaceSpec,
    command: str | None,
    function: str | None,
    results: Path | None,
    timeout: float,
) -> Asked | None:
    """What the user has that finds accuracies; None for nothing."""
    from efspec.search import evaluators

    given = [one for one in (command, function, results) if one is not None]
    if len(given) > 1:
        raise typer.BadParameter("name one of --command, --function and --results")
    if command is not None:
        words = shlex.split(command)
        if not words:
            raise typer.BadParameter("it is empty", param_hint="--command")
        own = evaluators.by_command(space, words, timeout)
        return Asked(f"the command {command}", lambda *_: Ready(own))
    if function is not None:
        sys.path.insert(0, "")  # as `python -m` has it: it may be of a file that lies here
        own = evaluators.by_function(space, function)
        return Asked(f"the function {function}", lambda *_: Ready(own))
    if results is not None:
        own = evaluators.by_results(space, results)
        return Asked(f"the results in {results.name}", lambda *_: Ready(own))
    return None


def by_supernet(
    space: SpaceSpec,
    kind: str,
    data: str | None,
    data_root: Path | None,
    recipe: str | None,
    trained: Path | None,
    workers: int,
    seed: int | None,
) -> Asked:
    """A supernet: of a file, or trained within the run's folder.

    Args:
        space: The space.
        kind: The kind of supernet.
        data: Name of the images; None for those that the space names.
        data_root: The folder of a data set of timm's.
        recipe: Name of the recipe; None for the one that the space names.
        trained: File of a supernet that was trained; None to train one.
        workers: How many processes read images.
        seed: Seed of the training; None for the recipe's.

    Raises:
        EfspecError: When the images or the recipe cannot be had, or do not fit.
    """
    from efspec.train.packages import check_packages
    from efspec.train.recipes import changed, dump_recipe, read_recipe

    data = data or (space.supernet.data if space.supernet else None)
    recipe = recipe or (space.supernet.recipe if space.supernet else None)
    if data is None or recipe is None:
        raise typer.BadParameter(
            "name what finds accuracies: --data and --recipe for a supernet, --command, --function"
            " or --results",
        )
    wanted_recipe = read_recipe(recipe)
    if seed is not None:
        wanted_recipe = changed(wanted_recipe, seed=seed)
    check_packages(data)

    from efspec.cli.supernets import Wanted, trained_into
    from efspec.supernet import MetaPaths, load_supernet
    from efspec.train.data import read_data
    from efspec.train.loaders import loaders
    from efspec.train.loop import make_accelerator
    from efspec.train.members import Members, across

    wanted = Wanted(space, kind, wanted_recipe, read_data(data, data_root), workers)
    supernet = wanted.made()
    accelerator = make_accelerator(wanted_recipe, has_unused=True)

    def ready(folder: Path, resume: bool) -> Ready:
        if trained is not None:
            load_supernet(supernet, trained)
        else:
            trained_into(folder / TRAINING, wanted, supernet, accelerator, resume=resume)
        everything = loaders(wanted_recipe, wanted.data, wanted.shape, workers=workers)
        members = Members(supernet, everything, accelerator)
        importances = supernet.importances() if isinstance(supernet, MetaPaths) else None
        return Ready(members.accuracy, across(accelerator), importances, members.cut_out)

    if trained is None:
        how = _short(dump_recipe(wanted_recipe).encode())
        origin = f"trained by the recipe {wanted_recipe.name} ({how})"
    else:
        origin = f"in {trained.name} ({_short(trained.read_bytes())})"
    return Asked(f"a supernet ({kind}) {origin}, on {data}", ready, accelerator)


def read_importances(file: Path | None, space: SpaceSpec) -> Sequence[Sequence[float]] | None:
    """The importances of paths in a file.

    Raises:
        EfspecError: When it does not hold one for each path.
    """
    if file is None:
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        found = [[float(x) for x in stage] for stage in data]
    except (ValueError, TypeError):
        found = []
    counts = [max(stage.depth) for stage in space.stages]
    if list(map(len, found)) != counts:
        raise fail(
            "bad-importances",
            "it does not hold a number for each path of each stage",
            expected=f"lists of {', '.join(map(str, counts))} numbers",
            file=str(file),
        )
    return found


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
