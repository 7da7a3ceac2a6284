"""`efspec search run`: searches a space, and writes what it finds as specs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efspec.cli.console import progress, ticking
from efspec.cli.options import DataRootOption, JsonOption, WorkersOption
from efspec.cli.run_folder import (
    EVALUATIONS,
    STEPS,
    appending,
    begin,
    read_evaluations,
    rewriting,
)
from efspec.cli.search_evaluators import by_supernet, by_user, read_importances
from efspec.cli.search_results import print_results, summary, write_results
from efspec.cli.search_space import DeviceOption, SpaceArgument, compiled_for

if TYPE_CHECKING:
    from efspec.search.evaluation import Evaluation
    from efspec.search.joint import Step
    from efspec.spec.space import Constraints, SpaceSpec

_TARGET = re.compile(r"(?:([a-z0-9][a-z0-9_.-]*):)?([a-z_]+=[^,=]+(?:,[a-z_]+=[^,=]+)*)")


class Algorithm(StrEnum):
    """How a space is searched."""

    joint = "joint"
    slimming = "slimming"
    nsga2 = "nsga2"
    random = "random"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", short_help="Search a space for the best networks.")(run)


def run(
    space: SpaceArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="The run's folder; by default runs/ and its name."
        ),
    ] = None,
    algorithm: Annotated[Algorithm, typer.Option(help="How to search.")] = Algorithm.joint,
    command: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Accuracies by a command: spec in, number out."),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="Accuracies by a Python function of a spec."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accuracies in a CSV file, by specs' hashes."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a command may take for one network.")
    ] = 3600.0,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Accuracies by a supernet, on these images; see efspec train."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="How the supernet is trained.")
    ] = None,
    supernet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A supernet that was trained before; for this space."),
    ] = None,
    data_root: DataRootOption = None,
    workers: WorkersOption = 0,
    importances: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="slimming: importance of each path, JSON per stage; by default the supernet's.",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            help="What is wanted at most (of the MES, at least), as latency_ms=1.1 or"
            " small:params=6e6,mes=50; may be repeated. Without it, the space's.",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="How many networks may be evaluated.")
    ] = None,
    device: DeviceOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of what is drawn; of the supernet, instead of its recipe's."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Search a space for the networks with the most accuracy for their size and speed.

    joint is EfficientFormerV2's search: from the largest network on, each step takes the action
    that loses the least accuracy for the MES that it gains. slimming is EfficientFormer's: of three
    actions, the one that loses the least accuracy per millisecond. nsga2 and random are what they
    are compared with.

    Accuracies are those of members of a supernet, which is trained first, unless --command,
    --function or --results says otherwise. A space may name its images, its recipe and its targets:
    `efspec search run digits` needs no option. Several GPUs or machines:
    `accelerate launch -m efspec search run ...`, or torchrun.

    The folder holds every evaluation as it comes, every step, the networks that no other beats and
    one for each target, as specs that `efspec build` takes, and a report. Whatever ends a run,
    --resume goes on where it stopped, and ends in the same result.
    """
    from efspec.search.runs import search as search_space
    from efspec.search.runs import settings_of
    from efspec.spec.spaces import read_space

    read = read_space(space)
    targets = _targets(target or [], read)
    asked = by_user(read, command, function, results, timeout)
    if asked is None:
        kind = "metapaths" if algorithm is Algorithm.slimming else "slimmable"
        asked = by_supernet(read, kind, data, data_root, recipe, supernet, workers, seed)
    elif any(one is not None for one in (data, recipe, supernet)):
        raise typer.BadParameter("--data, --recipe and --supernet are of a supernet")
    given = read_importances(importances, read)
    _check(algorithm, budget, targets, device, known=given is not None or asked.accelerator)
    compiled = compiled_for(read, device)
    if device is None and compiled.mes and "latency_ms" in compiled.mes.terms:
        raise typer.BadParameter(
            "the MES needs latencies, and the space has no `objective` of its own",
            param_hint="--device",
        )
    folder = output or Path("runs") / read.name
    settings = settings_of(
        compiled, algorithm.value, asked.name, device or "", targets, budget, seed or 0
    )
    if asked.is_first:
        begin(folder, settings, resume=resume)
    asked.wait()
    ready = asked.ready(folder, resume)
    known = dict(read_evaluations(folder / EVALUATIONS))
    asked.wait()  # none writes before all have read
    with ExitStack() as stack:
        told, told_step = (
            _writing(stack, folder, budget) if asked.is_first else (_nothing, _nothing)
        )
        found = search_space(
            settings,
            compiled,
            ready.evaluate,
            targets,
            known=known,
            importances=given or ready.importances,
            told=told,
            told_step=told_step,
            spread=ready.spread or map,
        )
    if asked.is_first:
        write_results(folder, read, settings, found, ready.cut_out)
        if json_:
            typer.echo(json.dumps(summary(found), indent=2))
        else:
            print_results(folder, found)
    asked.wait()


def _writing(
    stack: ExitStack, folder: Path, budget: int | None
) -> tuple[Callable[[Evaluation], None], Callable[[Step], None]]:
    """What writes evaluations and steps as they come, and shows how many there are."""
    from efspec.search.runs import evaluation_as_dict, step_as_dict

    count = stack.enter_context(_counting(budget))
    write = stack.enter_context(appending(folder / EVALUATIONS))
    write_step = stack.enter_context(rewriting(folder / STEPS))

    def told(one: Evaluation) -> None:
        write(json.dumps(evaluation_as_dict(one)))
        count()

    return told, lambda step: write_step(json.dumps(step_as_dict(step)))


def _nothing(one: object) -> None:
    del one


@contextmanager
def _counting(budget: int | None) -> Iterator[Callable[[], object]]:
    """Show how many networks were evaluated, and how much time is left if that is known."""
    if budget is None:
        with ticking("networks evaluated") as tick:
            yield lambda: tick(None)
    else:
        with progress(budget, left=True) as step:
            yield lambda: step("evaluating networks")


def _targets(texts: list[str], space: SpaceSpec) -> dict[str, Constraints]:
    """What is wanted, by name; the space's own constraints where nothing is said."""
    from efspec.spec.space import Bound, Constraints

    if not texts:
        is_free = all(bound is None for _, bound in space.constraints)
        own = {one.name: one.constraints for one in space.targets}
        return own or ({} if is_free else {"best": space.constraints})
    found: dict[str, Constraints] = {}
    for number, text in enumerate(texts):
        match = _TARGET.fullmatch(text)
        try:
            assert match is not None
            pairs = [pair.split("=") for pair in match[2].split(",")]
            bounds = {
                name: Bound(**{"min" if name == "mes" else "max": float(value)})
                for name, value in pairs
            }
            found[match[1] or f"target_{number}"] = Constraints(**bounds)
        except (AssertionError, ValueError):
            metrics = ", ".join(Constraints.model_fields)
            raise typer.BadParameter(
                f"{text!a} is no target such as latency_ms=1.1; metrics are {metrics}",
                param_hint="--target",
            ) from None
    return found


def _check(
    algorithm: Algorithm,
    budget: int | None,
    targets: Mapping[str, Constraints],
    device: str | None,
    *,
    known: object,
) -> None:
    """Refuse what cannot be.

    Args:
        algorithm: How the space is searched.
        budget: How many networks may be evaluated.
        targets: What is wanted.
        device: The device of latencies.
        known: Whether there will be importances of paths.
    """
    from efspec.diagram.drawing import check_matplotlib
    from efspec.search.baselines import check_pymoo

    check_matplotlib()  # what is missing for the report is better known before a search
    if algorithm is Algorithm.nsga2:
        check_pymoo()
    has_path = algorithm in (Algorithm.joint, Algorithm.slimming)
    if not has_path and budget is None:
        raise typer.BadParameter(f"{algorithm} goes on until one is spent", param_hint="--budget")
    if algorithm is Algorithm.slimming and not known:
        raise typer.BadParameter("slimming needs them", param_hint="--importances")
    timed = any(wanted.latency_ms is not None for wanted in targets.values())
    if device is None and (timed or algorithm is Algorithm.slimming):
        raise typer.BadParameter("latencies are those of a device", param_hint="--device")
