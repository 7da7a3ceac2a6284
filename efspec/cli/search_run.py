"""`efspec search run`: searches a space, and writes what it finds as specs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efspec.cli.console import Cell, print_notes, print_table, progress, ticking
from efspec.cli.files import replaced
from efspec.cli.options import JsonOption
from efspec.cli.run_folder import (
    EVALUATIONS,
    STEPS,
    appending,
    begin,
    read_evaluations,
    rewriting,
)
from efspec.cli.search_space import DeviceOption, SeedOption, SpaceArgument, compiled_for

if TYPE_CHECKING:
    from efspec.search.evaluation import Evaluate, Evaluation
    from efspec.search.runs import Found, Settings
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
        Path, typer.Option("-o", "--output", metavar="DIR", help="The run's folder.")
    ],
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
    importances: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="slimming: importance of each path, JSON per stage."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            help="What is wanted at most, as latency_ms=1.1 or small:params=6e6,latency_ms=1.1;"
            " may be repeated. Without it, the space's constraints.",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="How many networks may be evaluated.")
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = 0,
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

    The folder holds every evaluation as it comes, every step, the networks that no other beats and
    one for each target, as specs that `efspec build` takes, and a report. Whatever ends a run,
    --resume goes on where it stopped, and ends in the same result.
    """
    from efspec.search.runs import evaluation_as_dict, settings_of, step_as_dict
    from efspec.search.runs import search as search_space
    from efspec.spec.spaces import read_space

    read = read_space(space)
    named, evaluate = _evaluator(read, command, function, results, timeout)
    targets = _targets(target or [], read)
    _check(algorithm, budget, targets, device, importances)
    compiled = compiled_for(read, device)
    if device is None and compiled.mes and "latency_ms" in compiled.mes.terms:
        raise typer.BadParameter(
            "the MES needs latencies, and the space has no `objective` of its own",
            param_hint="--device",
        )
    settings = settings_of(compiled, algorithm.value, named, device or "", targets, budget, seed)
    begin(output, settings, resume=resume)
    known = dict(read_evaluations(output / EVALUATIONS))
    with (
        _counting(budget) as count,
        appending(output / EVALUATIONS) as write,
        rewriting(output / STEPS) as write_step,
    ):

        def told(one: Evaluation) -> None:
            write(json.dumps(evaluation_as_dict(one)))
            count()

        found = search_space(
            settings,
            compiled,
            evaluate,
            targets,
            known=known,
            importances=_importances(importances, read),
            told=told,
            told_step=lambda step: write_step(json.dumps(step_as_dict(step))),
        )
    _write(output, read, settings, found)
    if json_:
        typer.echo(json.dumps(_summary(found), indent=2))
    else:
        _print(output, found)


@contextmanager
def _counting(budget: int | None) -> Iterator[Callable[[], object]]:
    """Show how many networks were evaluated, and how much time is left if that is known."""
    if budget is None:
        with ticking("networks evaluated") as tick:
            yield lambda: tick(None)
    else:
        with progress(budget, left=True) as step:
            yield lambda: step("evaluating networks")


def _evaluator(
    space: SpaceSpec,
    command: str | None,
    function: str | None,
    results: Path | None,
    timeout: float,
) -> tuple[str, Evaluate]:
    """What finds accuracies, and what to call it."""
    from efspec.search import evaluators

    given = [one for one in (command, function, results) if one is not None]
    if len(given) != 1:
        raise typer.BadParameter("name one of --command, --function and --results")
    if command is not None:
        words = shlex.split(command)
        if not words:
            raise typer.BadParameter("it is empty", param_hint="--command")
        return f"the command {command}", evaluators.by_command(space, words, timeout)
    if function is not None:
        return f"the function {function}", evaluators.by_function(space, function)
    assert results is not None  # one of them is given
    return f"the results in {results.name}", evaluators.by_results(space, results)


def _targets(texts: list[str], space: SpaceSpec) -> dict[str, Constraints]:
    """What is wanted, by name; the space's own constraints where nothing is said."""
    from efspec.spec.space import Bound, Constraints

    if not texts:
        is_free = all(bound is None for _, bound in space.constraints)
        return {} if is_free else {"best": space.constraints}
    found: dict[str, Constraints] = {}
    for number, text in enumerate(texts):
        match = _TARGET.fullmatch(text)
        try:
            assert match is not None
            pairs = [pair.split("=") for pair in match[2].split(",")]
            bounds = {name: Bound(max=float(value)) for name, value in pairs}
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
    importances: Path | None,
) -> None:
    has_path = algorithm in (Algorithm.joint, Algorithm.slimming)
    if not has_path and budget is None:
        raise typer.BadParameter(f"{algorithm} goes on until one is spent", param_hint="--budget")
    if (algorithm is Algorithm.slimming) != (importances is not None):
        raise typer.BadParameter("slimming needs them, and only it", param_hint="--importances")
    timed = any(
        bound is not None
        for wanted in targets.values()
        for name, bound in wanted
        if name in ("latency_ms", "mes")
    )
    if device is None and (timed or algorithm is Algorithm.slimming):
        raise typer.BadParameter("latencies are those of a device", param_hint="--device")


def _importances(file: Path | None, space: SpaceSpec) -> list[list[float]] | None:
    from efspec.errors import fail

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


def _write(folder: Path, space: SpaceSpec, settings: Settings, found: Found) -> None:
    """Write what was found: specs, a summary, and a report with its pictures."""
    from efspec.search.report import drawing, report
    from efspec.spec.candidates import member
    from efspec.spec.dump import dump

    files: dict[str, bytes] = {}
    for number, one in enumerate(found.front):
        spec = member(space, one.candidate, f"{space.name}_front_{number}")
        files[f"front/{number:03}.yaml"] = dump(spec).encode()
    for name, one in found.targets.items():
        spec = member(space, one.candidate, f"{space.name}_{name}")
        files[f"targets/{name}.yaml"] = dump(spec).encode()
    best = next(iter(found.targets.values()), None)
    if best:
        files["best.yaml"] = dump(member(space, best.candidate, f"{space.name}_best")).encode()
    files["summary.json"] = (json.dumps(_summary(found), indent=2) + "\n").encode()
    files["report.png"] = drawing(space.name, found, "png")
    files["report.html"] = report(space.name, settings, found).encode()
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        with replaced(folder / name) as temporary:
            temporary.write_bytes(data)


def _summary(found: Found) -> dict[str, Any]:
    from efspec.search.runs import evaluation_as_dict

    return {
        "evaluated": len(found.evaluated),
        "steps": len(found.outcome.steps) if found.outcome else None,
        "ended": found.outcome.ended if found.outcome else None,
        "targets": {name: evaluation_as_dict(one) for name, one in found.targets.items()},
        "missed": list(found.missed),
        "front": [evaluation_as_dict(one) for one in found.front],
    }


def _print(folder: Path, found: Found) -> None:
    rows: list[list[Cell]] = []
    for name, one in found.targets.items():
        figures = [one.figures.get(metric) for metric in ("mes", "latency_ms", "params", "macs")]
        file = str(folder / "targets" / f"{name}.yaml")
        rows.append([name, f"{one.accuracy:.4f}", *figures, file])
    if rows:
        columns = ["target", "accuracy", "MES", "ms", "params", "MACs", "spec"]
        print_table(columns, rows, f"{len(found.evaluated):,} networks were evaluated")
    else:
        typer.echo(f"{len(found.evaluated):,} networks were evaluated")
    print_notes(f"no network was found for the target {name}" for name in found.missed)
    typer.echo(f"report: {folder / 'report.html'}")
