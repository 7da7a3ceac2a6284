"""What timm makes of a recipe: the optimiser, the schedule and the moving average of weights."""

from __future__ import annotations

from typing import Any

from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from timm.utils.clip_grad import dispatch_clip_grad
from torch import nn
from torch.optim import Optimizer

from efspec.errors import EfspecError, fail
from efspec.train.recipe import Clip, RecipeSpec


def make_optimizer(groups: list[dict[str, Any]], recipe: RecipeSpec) -> Optimizer:
    """The optimiser of a recipe.

    Args:
        groups: What `parameter_groups` gave.
        recipe: Says which optimiser, and its numbers.

    Raises:
        EfspecError: When timm has none of this name.
    """
    wanted = recipe.optimizer
    own = {} if wanted.eps is None else {"eps": wanted.eps}
    try:
        made: Optimizer = create_optimizer_v2(
            groups,
            opt=wanted.name,
            lr=recipe.lr,
            weight_decay=wanted.weight_decay,
            momentum=wanted.momentum,
            **own,
        )
    except (AssertionError, ImportError, TypeError, ValueError) as error:
        raise _unknown("optimizer.name", wanted.name, error) from None
    return made


def make_scheduler(optimizer: Optimizer, recipe: RecipeSpec, steps: int) -> Any:
    """The schedule of a recipe, which `at` moves.

    Args:
        optimizer: Whose learning rates it sets.
        recipe: Says which schedule, and its numbers.
        steps: How many steps an epoch has.

    Raises:
        EfspecError: When timm has none of this name.
    """
    wanted = recipe.schedule
    try:
        schedule, _ = create_scheduler_v2(
            optimizer,
            sched=wanted.name,
            num_epochs=recipe.epochs,
            cooldown_epochs=wanted.cooldown_epochs,
            warmup_epochs=wanted.warmup_epochs,
            warmup_lr=wanted.warmup_lr,
            min_lr=wanted.min_lr,
            step_on_epochs=wanted.per == "epoch",
            updates_per_epoch=steps,
        )
    except (AssertionError, ValueError) as error:
        raise _unknown("schedule.name", wanted.name, error) from None
    if schedule is None:
        raise _unknown("schedule.name", wanted.name, ValueError("there is none"))
    return schedule


def at(schedule: Any, epoch: int, step: int) -> None:
    """Set the learning rates of a step, which follow from its number and nothing else.

    Args:
        schedule: What `make_scheduler` gave.
        epoch: Number of the epoch, from 0.
        step: Number of the step, from 0, of all epochs.
    """
    schedule.step(epoch)
    schedule.step_update(step)


def make_ema(module: nn.Module, recipe: RecipeSpec) -> ModelEmaV3 | None:
    """The moving average of a module's weights, which starts as they are; None for none."""
    return None if recipe.ema is None else ModelEmaV3(module, decay=recipe.ema)


def clip_gradients(module: nn.Module, clip: Clip | None) -> None:
    """Make gradients as small as a recipe wants them."""
    if clip is not None:
        dispatch_clip_grad(module.parameters(), clip.value, clip.mode)


def _unknown(field: str, name: str, error: Exception) -> EfspecError:
    return fail(
        "unknown-in-timm",
        f"`{name}`: {str(error).partition(chr(10))[0][:200] or 'timm refuses it'}",
        field=field,
        expected="a name of timm's, with what it takes",
    )
