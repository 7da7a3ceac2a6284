"""`efspec train`: trains a network."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efspec.cli.console import print_notes, print_table
from efspec.cli.options import (
    DataRootOption,
    FromSizeOption,
    InputFormatOption,
    JsonOption,
    NewHeadOption,
    SetOption,
    SizeOption,
    SpecArgument,
    WorkersOption,
    height_width,
    read_spec,
)
from efspec.cli.train_folder import SUPERNET
from efspec.errors import fail

if TYPE_CHECKING:
    from torch import nn

    from efspec.plan import Plan
    from efspec.train.recipe import RecipeSpec
    from efspec.train.state import Epoch, State


class Kind(StrEnum):
    """Kinds of supernets."""

    slimmable = "slimmable"
    metapaths = "metapaths"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", short_help="Train a network on images.")(train)


def train(
    spec: SpecArgument,
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="digits, mnist, a folder with one of images for each class, or a name of timm's.",
        ),
    ],
    recipe: Annotated[str, typer.Option(metavar="RECIPE", help="How: v1, v2, small, or a file.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="RUN", help="The folder of the run.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run, if it has begun.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many, instead of the recipe's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Seed, instead of the recipe's.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="CKPT", help="Begin with the weights of a checkpoint.")
    ] = None,
    new_head: NewHeadOption = False,
    from_size: FromSizeOption = None,
    teacher_spec: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="The spec of a teacher, instead of the recipe's."),
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option(metavar="CKPT", help="The weights of the teacher.")
    ] = None,
    supernet: Annotated[
        Kind | None,
        typer.Option(
            help="SPEC is a search space: train the supernet of its members, of V2's kind or V1's."
        ),
    ] = None,
    data_root: DataRootOption = None,
    workers: WorkersOption = 0,
    json_: JsonOption = False,
    set_: SetOption = None,
    size: SizeOption = None,
    input_format: InputFormatOption = None,
) -> None:
    """Train a network, or the supernet of a search space, on images, as a recipe says.

    RUN gets spec.yaml and recipe.yaml as they were used, metrics.jsonl with a line for each epoch,
    best.safetensors and last.safetensors, which `efspec build --weights` takes, and state.pt, from
    which --resume goes on after any interruption: repeat the command with it. The best weights are
    those of the epoch and of the kind, trained or averaged, that rated best on validation images.
    Of a supernet, supernet.safetensors takes their place: `efspec search run --supernet` reads it.

    digits and mnist come with packages, and a part of them is for validation. A folder may hold
    `train` and `val`.

    Several GPUs or machines: `accelerate launch -m efspec train ...`, or torchrun.
    """
    from efspec.cli.train_folder import go_on, identity, network_files, train_into
    from efspec.pytorch.build import build_module
    from efspec.pytorch.source import Source
    from efspec.spec.resolve import resolve
    from efspec.train.packages import check_packages
    from efspec.train.recipes import changed, read_recipe

    if str(output) == "-":
        raise typer.BadParameter("several files need a folder, not -", param_hint="-o")
    if weights is None and (new_head or from_size is not None):
        raise typer.BadParameter("--new-head and --from-size go with --weights")
    wanted = read_recipe(recipe)
    changes = {"epochs": epochs, "seed": seed}
    wanted = changed(wanted, **{k: v for k, v in changes.items() if v is not None})
    if supernet is not None:
        others = (weights, teacher_spec, teacher_weights, set_, size, input_format)
        if any(one is not None for one in others):
            raise typer.BadParameter(
                "it goes with none of --weights, --teacher-..., --set, --size and --input-format",
                param_hint="--supernet",
            )
        _train_supernet(
            spec, supernet, wanted, data, data_root, workers, output, resume=resume, json_=json_
        )
        return
    loaded = read_spec(spec, set_, size, input_format)
    plan = resolve(loaded)
    check_teacher(wanted, teacher_spec, teacher_weights)
    check_packages(data)

    from efspec.train.data import check_fits, read_data
    from efspec.train.loaders import loaders
    from efspec.train.loop import Job, make_accelerator, share_of
    from efspec.train.methods import Alone

    run = identity(loaded, wanted, data, weights, teacher_spec, teacher_weights)
    begun = go_on(output, run, resume=resume)
    images = read_data(data, data_root)
    check_fits(plan, images.classes, f"{data} has")
    accelerator = make_accelerator(wanted)
    read = loaders(wanted, images, plan.input, share_of(accelerator), workers)
    teacher = _teacher(wanted, plan, images.classes, teacher_spec, teacher_weights)
    module = build_module(plan, wanted.seed)
    remarks: list[str] = []
    if weights is not None and begun is None:
        from efspec.pytorch.checkpoints import load_weights

        trained_at = height_width("--from-size", from_size)
        source = Source(weights, new_head=new_head, from_size=trained_at)
        remarks += load_weights(module, plan, source).remarks()
    if accelerator.is_main_process:
        print_notes(remarks)
    job = Job(Alone(plan), module, wanted, read, teacher)
    state = train_into(output, run, job, accelerator, begun, network_files(plan))
    accelerator.end_training()
    if accelerator.is_main_process and state is not None:
        _print(output, plan, state, json_=json_)


def _train_supernet(
    space: str,
    kind: Kind,
    recipe: RecipeSpec,
    data: str,
    data_root: Path | None,
    workers: int,
    output: Path,
    *,
    resume: bool,
    json_: bool,
) -> None:
    from efspec.cli.supernets import Wanted, trained_into
    from efspec.spec.spaces import read_space
    from efspec.train.packages import check_packages

    read = read_space(space)
    check_packages(data)

    from efspec.train.data import read_data
    from efspec.train.loop import make_accelerator

    wanted = Wanted(read, kind.value, recipe, read_data(data, data_root), workers)
    supernet = wanted.made()
    accelerator = make_accelerator(recipe, has_unused=True)
    state = trained_into(output, wanted, supernet, accelerator, resume=resume)
    accelerator.end_training()
    if not accelerator.is_main_process or state is None:
        return
    last = state.history[-1]
    if json_:
        found = {"name": read.name, "run": str(output), "weights": str(output / SUPERNET)}
        typer.echo(json.dumps({**found, "last": last.as_dict()}, indent=2))
        return
    rows: list[list[Any]] = [["largest", 100 * last.top1]]
    if last.smallest_top1 is not None:
        rows.append(["smallest", 100 * last.smallest_top1])
    title = f"trained the supernet of {read.name} for {len(state.history)} epochs: {output}"
    print_table(["member", "top-1 %"], rows, title)


def check_teacher(recipe: RecipeSpec, spec: str | None, weights: Path | None) -> None:
    """Refuse a teacher that is half there, or that nothing is said about learning from.

    Raises:
        EfspecError: When there is none and the recipe wants one, or the other way round.
    """
    if spec is not None and weights is None:
        raise typer.BadParameter(
            "it is of no use without --teacher-weights", param_hint="--teacher-spec"
        )
    if recipe.distillation is None:
        if weights is not None:
            raise fail(
                "no-teacher",
                f"the recipe {recipe.name} does not say how to learn from a teacher",
                fix="write `distillation` into the recipe",
            )
    elif spec is None and recipe.distillation.teacher is None:
        raise fail(
            "no-teacher",
            f"the recipe {recipe.name} wants a teacher and names none",
            field="distillation.teacher",
            fix="give --teacher-spec and --teacher-weights",
        )


def _teacher(
    recipe: RecipeSpec, plan: Plan, classes: int, spec: str | None, weights: Path | None
) -> nn.Module | None:
    from efspec.pytorch.source import Source
    from efspec.spec.resolve import resolve
    from efspec.train.teacher import teacher_of_spec, teacher_of_timm

    wanted = recipe.distillation
    channels, height, width = plan.input
    if spec is not None and weights is not None:
        size = f"{height}x{width}"
        teaching = resolve(read_spec(spec, [f"input.channels={channels}"], size))
        return teacher_of_spec(teaching, Source(weights), classes)
    if wanted is None or wanted.teacher is None:
        return None
    return teacher_of_timm(wanted.teacher, channels, classes, weights)


def _print(folder: Path, plan: Plan, state: State, *, json_: bool) -> None:
    best, last = state.best, state.history[-1]
    if json_:
        result: dict[str, Any] = {
            "name": plan.name,
            "hash": plan.hash,
            "run": str(folder),
            "weights": str(folder / "best.safetensors"),
            "best": best.as_dict(),
            "last": last.as_dict(),
        }
        typer.echo(json.dumps(result, indent=2))
        return
    rows = [_row("best", best), _row("last", last)]
    columns = ["weights", "epoch", "loss", "validation loss", "top-1 %", "averaged %"]
    epochs = "1 epoch" if len(state.history) == 1 else f"{len(state.history):,} epochs"
    print_table(columns, rows, f"trained {plan.name} for {epochs}: {folder}")


def _row(name: str, epoch: Epoch) -> list[Any]:
    averaged = None if epoch.ema_top1 is None else 100 * epoch.ema_top1
    return [name, epoch.epoch, epoch.loss, epoch.validation_loss, 100 * epoch.top1, averaged]
