"""Networks that others learn from."""

from __future__ import annotations

from pathlib import Path

from timm import create_model
from torch import nn

from efspec.errors import fail
from efspec.plan import Plan
from efspec.pytorch.build import build_module
from efspec.pytorch.checkpoints import load_weights, read_checkpoint
from efspec.pytorch.source import Source
from efspec.train.data import check_fits


def teacher_of_spec(plan: Plan, weights: Source, classes: int) -> nn.Module:
    """A teacher that is one of efspec's networks, in eval mode.

    Args:
        plan: The network, at the input size of whom it teaches.
        weights: Its checkpoint.
        classes: How many classes it is to tell apart.

    Raises:
        EfspecError: When it has other classes, or the checkpoint does not hold it.
    """
    check_fits(plan, classes, "what it is to teach has")
    module = build_module(plan)
    load_weights(module, plan, weights)
    return module.eval()


def teacher_of_timm(name: str, channels: int, classes: int, weights: Path | None) -> nn.Module:
    """A teacher that is one of timm's models, in eval mode.

    Args:
        name: Its name, with that of its weights: these are downloaded unless they are here.
        channels: How many channels the images have.
        classes: How many classes it is to tell apart.
        weights: A checkpoint of it instead.

    Raises:
        EfspecError: When timm has no such model, or its weights cannot be had.
    """
    try:
        if weights is None:
            made: nn.Module = create_model(name, pretrained=True, in_chans=channels)
        else:
            made = create_model(name, in_chans=channels, num_classes=classes)
    except Exception as error:  # of timm, and of all that it downloads with
        raise fail(
            "no-teacher",
            f"{name}: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}",
            field="distillation.teacher",
            expected="a model of timm's, and a network to download its weights from",
            fix="give its weights with --teacher-weights, or set `distillation` to null",
        ) from None
    if weights is not None:
        state = read_checkpoint(weights)
        own = {key: tensor.shape for key, tensor in made.state_dict().items()}
        if {key: tensor.shape for key, tensor in state.items()} != own:
            raise fail(
                "no-teacher",
                f"the tensors are not those of timm's {name} with {classes:,} classes",
                file=str(weights),
                field="distillation.teacher",
            )
        made.load_state_dict(state)
    elif made.num_classes != classes:
        raise fail(
            "no-teacher",
            f"{name} has {made.num_classes:,} classes, and the images {classes:,}",
            field="distillation.teacher",
            fix="give one of these classes by --teacher-spec, or set `distillation` to null",
        )
    return made.eval()
