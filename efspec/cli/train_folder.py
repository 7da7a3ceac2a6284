"""The folder of a training run: what is written when, so that a kill at any moment loses little.

`state.pt` says how far the run is; whatever else follows from it and is written after it. What a
kill kept from being written is written when the run goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from efspec.cli.files import remove_left_overs, replaced, write_lines
from efspec.errors import fail

if TYPE_CHECKING:
    from efspec.plan import Plan
    from efspec.spec.schema import NetworkSpec
    from efspec.train.recipe import RecipeSpec
    from efspec.train.state import State

STATE = "state.pt"
METRICS = "metrics.jsonl"
BEST = "best.safetensors"
LAST = "last.safetensors"


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


def write_state(folder: Path, plan: Plan, state: State) -> None:
    """Write what an epoch came to."""
    from efspec.train.state import encode_state

    _write(folder / STATE, encode_state(state))
    finish_files(folder, plan, state)


def finish_files(folder: Path, plan: Plan, state: State) -> None:
    """Write what follows from a state; best weights of an earlier epoch were written then."""
    from efspec.pytorch.checkpoints import encode

    if state.is_best:
        _write(folder / BEST, encode(plan, state.weights, ".safetensors"))
    _write(folder / LAST, encode(plan, state.module, ".safetensors"))
    write_lines(folder / METRICS, [json.dumps(epoch.as_dict()) for epoch in state.history])


def _write(file: Path, data: bytes) -> None:
    with replaced(file) as temporary:
        temporary.write_bytes(data)
