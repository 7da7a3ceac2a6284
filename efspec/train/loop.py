"""The training loop: epochs, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from timm.utils import ModelEmaV3, distribute_bn
from torch import Tensor, nn

from efspec.errors import fail
from efspec.record import Record
from efspec.train.loaders import Loaders, Share
from efspec.train.losses import Loss
from efspec.train.making import at, clip_gradients, make_ema, make_optimizer, make_scheduler
from efspec.train.methods import Lesson, Method, Moment
from efspec.train.rating import summed
from efspec.train.recipe import RecipeSpec
from efspec.train.state import Epoch, State

LOOK = 50
"""After how many steps a loss is looked at; each look waits for the device."""


class Job(Record):
    """What is to be trained, and how.

    Attributes:
        method: How a network of its kind is trained.
        module: The network, with the weights to begin with; it is trained in place.
        recipe: How it is trained.
        loaders: What on.
        teacher: What it learns from besides, if anything.
    """

    method: Method
    module: nn.Module
    recipe: RecipeSpec
    loaders: Loaders
    teacher: nn.Module | None = None


def make_accelerator(recipe: RecipeSpec, *, has_unused: bool = False) -> Accelerator:
    """What a recipe runs on: the GPU or the CPU, one of several if a launcher started several.

    Args:
        recipe: Says the precision.
        has_unused: Whether steps leave parameters out, as those of supernets do.

    Raises:
        EfspecError: When that cannot compute in the recipe's precision.
    """
    precision = {"fp32": "no", "fp16": "fp16", "bf16": "bf16"}[recipe.precision]
    sharing = DistributedDataParallelKwargs(find_unused_parameters=has_unused)
    AcceleratorState._reset_state()  # it would keep the precision of an earlier training
    try:
        made = Accelerator(mixed_precision=precision, kwargs_handlers=[sharing])
        if recipe.precision == "fp16" and made.device.type == "cpu":
            raise ValueError("it is for GPUs")  # Accelerate would silently compute in fp32
    except ValueError as error:
        raise fail(
            "unsupported-precision",
            f"{recipe.precision}: {error}",
            field="precision",
            fix="set the recipe's precision to fp32",
        ) from None
    return made


def share_of(accelerator: Accelerator) -> Share:
    """Which of several processes this is."""
    return Share(accelerator.process_index, accelerator.num_processes)


def seed_epoch(recipe: RecipeSpec, epoch: int, rank: int = 0) -> None:
    """Set every random state to what it is at the start of an epoch, in this process.

    So that an epoch is the same whether those before it were trained just now or long ago.
    """
    (seed,) = np.random.SeedSequence([recipe.seed, epoch, rank]).generate_state(1)
    set_seed(int(seed))


def train(
    job: Job,
    accelerator: Accelerator,
    begun: State | None = None,
    step: Callable[[str], None] = lambda description: None,
) -> Iterator[State]:
    """Train, and give the state after each epoch; on one CPU process it is the same each time.

    A state shares its tensors with what is trained: use it before the next one is asked for.

    Args:
        job: What is to be trained.
        accelerator: What it is trained on.
        begun: Where to go on.
        step: Called at the start of each step with what is done.

    Raises:
        EfspecError: When the recipe asks timm for what it has not, an image cannot be read, or the
            loss is no number any more. The last state is one to go on from.
    """
    recipe, read, method = job.recipe, job.loaders, job.method
    module = method.prepared(job.module, recipe, accelerator)
    optimizer = make_optimizer(method.groups(module, recipe), recipe)
    schedule = make_scheduler(optimizer, recipe, read.steps)
    ema = make_ema(module, recipe)
    if recipe.gradient_checkpointing:
        method.checkpoint(module)
    teacher = None if job.teacher is None else job.teacher.to(accelerator.device)
    loss = Loss(recipe, teacher)
    parallel, stepping = accelerator.prepare(module, optimizer)
    if begun is not None:
        _restore(begun, module, ema, optimizer, accelerator)
    history = begun.history if begun is not None else ()
    for number in range(len(history), recipe.all_epochs):
        started = time.monotonic()
        seed_epoch(recipe, number, accelerator.process_index)
        parallel.train()
        total = torch.zeros((), device=accelerator.device)
        said = f"epoch {number + 1}/{recipe.all_epochs}"
        for index, (images, labels) in enumerate(read.epoch(number)):
            step(said)
            at_step = number * read.steps + index
            at(schedule, number, at_step)
            images, labels = images.to(accelerator.device), labels.to(accelerator.device)
            if read.mix is not None:
                images, labels = read.mix(images, labels)
            with accelerator.autocast():
                batch_loss = loss.of(images, labels)
            when = Moment(recipe.seed, at_step, at_step / (recipe.all_epochs * read.steps))
            lesson = Lesson(images, batch_loss, accelerator.backward, when)
            value = method.learn(parallel, lesson)
            if recipe.optimizer.clip is not None:
                accelerator.unscale_gradients(stepping)
                clip_gradients(module, recipe.optimizer.clip)
            stepping.step()
            stepping.zero_grad()
            if ema is not None:
                ema.update(module)
            total += value
            if index % LOOK == LOOK - 1 or index == read.steps - 1:
                mean = _mean(total / (index + 1), number, accelerator)
        if accelerator.num_processes > 1:
            for one in (module, ema.module) if ema is not None else (module,):
                distribute_bn(one, accelerator.num_processes, reduce=True)
        rating = method.rate(module, read, accelerator)
        averaged = method.rate(ema.module, read, accelerator) if ema is not None else None
        history += (
            Epoch(
                epoch=number,
                lr=max(group["lr"] for group in optimizer.param_groups),
                loss=mean,
                validation_loss=_finite(rating.loss, number, "validation loss"),
                top1=rating.top1,
                ema_top1=averaged.top1 if averaged is not None else None,
                smallest_top1=rating.smallest_top1,
                seconds=round(time.monotonic() - started, 3),
            ),
        )
        yield State(
            history=history,
            module=module.state_dict(),
            ema=ema.module.state_dict() if ema is not None else None,
            optimizer=optimizer.state_dict(),
            scaler=accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
        )


def _mean(value: Tensor, epoch: int, accelerator: Accelerator) -> float:
    """The mean loss of all processes, which stop together where it is no number.

    Raises:
        EfspecError: When it is none.
    """
    (total,) = summed(value.reshape(1), accelerator)
    return _finite(total / accelerator.num_processes, epoch, "loss")


def _finite(value: float, epoch: int, what: str) -> float:
    if not np.isfinite(value):
        raise fail(
            "loss-not-finite",
            f"in epoch {epoch} the {what} became {value}",
            expected="a number",
            fix="lower `optimizer.lr`, set `optimizer.clip`, or lengthen the warm-up;"
            " what was written of earlier epochs is whole",
        )
    return value


def _restore(
    begun: State,
    module: nn.Module,
    ema: ModelEmaV3 | None,
    optimizer: Any,
    accelerator: Accelerator,
) -> None:
    module.load_state_dict(begun.module)
    if ema is not None and begun.ema is not None:
        ema.module.load_state_dict(begun.ema)
    optimizer.load_state_dict(begun.optimizer)
    if accelerator.scaler is not None and begun.scaler is not None:
        accelerator.scaler.load_state_dict(begun.scaler)
