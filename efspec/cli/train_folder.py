"""The folder of a training run: what is written when, so that a kill at any moment loses little.

`state.pt` says how far the run is; whatever else follows from it and is written after it. What a
kill kept from being written is written when the run goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from efspec.cli.console import progress
from efspec.cli.files import remove_left_overs, replaced, write_lines
from efspec.errors import fail

if TYPE_CHECKING:
    from accelerate import Accelerator

    from efspec.plan import Plan
    from efspec.spec.schema import NetworkSpec
    from efspec.supernet import Supernet
    from efspec.train.loop import Job
    from efspec.train.recipe import RecipeSpec
    from efspec.train.state import State

    Made = Callable[[State], Mapping[str, bytes]]

STATE = "state.pt"
METRICS = "metrics.jsonl"
BEST = "best.safetensors"
LAST = "last.safetensors"
SUPERNET = "supernet.safetensors"


def identity(
    spec: NetworkSpec,
    recipe: RecipeSpec,
    data: str,
    weights: Path | None,
    teacher_spec: str | None,
    teacher_weights: Path | None,
) -> dict[str, str]:
    """The files that say what a run is, by their names: one that goes on has the same."""
    from efspec.spec.dump import dump
    from efspec.train.recipes import dump_recipe

    other = {
        "data": data,
        "weights": str(weights or ""),
        "teacher_spec": teacher_spec or "",
        "teacher_weights": str(teacher_weights or ""),
    }
    return {
        "spec.yaml": dump(spec),
        "recipe.yaml": dump_recipe(recipe),
        "run.json": json.dumps(other, indent=2) + "\n",
    }


def go_on(folder: Path, run: dict[str, str], *, resume: bool) -> State | None:
    """Where a run stands; None for one that has not begun.

    Args:
        folder: The folder of the run.
        run: What the run is.
        resume: Whether it may have begun.

    Raises:
        EfspecError: When it has begun and should not have, or is another one.
    """
    if folder.exists() and not folder.is_dir():
        raise fail("not-a-folder", "the run needs a folder", file=str(folder))
    there = [name for name in (*run, STATE) if (folder / name).exists()]
    if there and not resume:
        raise fail(
            "run-exists",
            f"there is a run already, which has {', '.join(there)}",
            file=str(folder),
            fix="go on with it by --resume, or write into another folder",
        )
    for name, text in run.items():
        if name in there and (folder / name).read_bytes() != text.encode():
            raise fail(
                "other-run",
                "the run that is there was begun with another one",
                file=str(folder / name),
                fix="repeat the command that began it, with --resume",
            )
    if STATE not in there:
        return None
    from efspec.train.state import read_state

    return read_state(folder / STATE)


def begin(folder: Path, run: dict[str, str]) -> None:
    """Write what a run is, before anything else of it."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_left_overs(folder)
    for name, text in run.items():
        _write(folder / name, text.encode())


def train_into(
    folder: Path,
    run: dict[str, str],
    job: Job,
    accelerator: Accelerator,
    begun: State | None,
    made: Made,
) -> State | None:
    """Train, and write what each epoch comes to; the first of several processes writes.

    Args:
        folder: The folder of the run.
        run: What the run is.
        job: What is to be trained.
        accelerator: What it is trained on.
        begun: Where the run stands.
        made: The files that follow from a state.

    Returns:
        Where the run stands afterwards.

    Raises:
        EfspecError: See `efspec.train.loop.train`.
    """
    from efspec.train.loop import train

    accelerator.wait_for_everyone()  # none finds a folder that another has just made
    first = accelerator.is_main_process
    if first:
        begin(folder, run)
        if begun is not None:
            finish_files(folder, begun, made)
    epochs = job.recipe.all_epochs
    left = epochs - (len(begun.history) if begun else 0)
    state = begun
    with progress(left * job.loaders.steps, left=True) as step:
        for state in train(job, accelerator, begun, step if first else _nothing):
            if first:
                write_state(folder, state, made)
                _tell(state, epochs)
            accelerator.wait_for_everyone()
    return state


def network_files(plan: Plan) -> Made:
    """What is written of a network: best weights of an earlier epoch were written then."""
    from efspec.pytorch.checkpoints import encode

    def made(state: State) -> dict[str, bytes]:
        best = {BEST: encode(plan, state.weights, ".safetensors")} if state.is_best else {}
        return best | {LAST: encode(plan, state.module, ".safetensors")}

    return made


def supernet_files(supernet: Supernet) -> Made:
    """What is written of a supernet: its last weights are those that count."""
    from efspec.supernet import encode_supernet

    return lambda state: {SUPERNET: encode_supernet(supernet, state.module)}


def write_state(folder: Path, state: State, made: Made) -> None:
    """Write what an epoch came to."""
    from efspec.train.state import encode_state

    _write(folder / STATE, encode_state(state))
    finish_files(folder, state, made)


def finish_files(folder: Path, state: State, made: Made) -> None:
    """Write what follows from a state."""
    for name, data in made(state).items():
        _write(folder / name, data)
    write_lines(folder / METRICS, [json.dumps(epoch.as_dict()) for epoch in state.history])


def _tell(state: State, epochs: int) -> None:
    """Say on standard error how the last epoch went, where no bar shows it."""
    if sys.stderr.isatty():
        return
    last = state.history[-1]
    left = (epochs - len(state.history)) * last.seconds
    others = {"averaged": last.ema_top1, "smallest": last.smallest_top1}
    more = "".join(f", {name} {top1:.2%}" for name, top1 in others.items() if top1 is not None)
    typer.echo(
        f"epoch {len(state.history)}/{epochs}: loss {last.loss:.4f}, top-1 {last.top1:.2%}"
        f"{more}, {left:,.0f} s left",
        err=True,
    )


def _nothing(description: str) -> None:
    del description


def _write(file: Path, data: bytes) -> None:
    with replaced(file) as temporary:
        temporary.write_bytes(data)
