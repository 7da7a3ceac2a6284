"""Where a training stands after an epoch, which is all that it takes to go on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from efspec.errors import fail
from efspec.record import Record

FORMAT = 1


class Epoch(Record):
    """What an epoch came to.

    Attributes:
        epoch: Its number, from 0.
        lr: Learning rate of its last step, of the part where that is highest.
        loss: Mean loss of its training images, as they were augmented.
        validation_loss: Mean cross-entropy of the validation images.
        top1: Share of these whose class was right.
        ema_top1: The same with the moving average of the weights; None where there is none.
        seconds: How long it took.
        smallest_top1: That of a supernet's smallest member, where `top1` is that of its largest;
            None for a single network.
    """

    epoch: int
    lr: float
    loss: float
    validation_loss: float
    top1: float
    ema_top1: float | None
    seconds: float
    smallest_top1: float | None = None

    @property
    def best_top1(self) -> float:
        """The better one of the two sets of weights."""
        return max(self.top1, self.ema_top1 or 0.0)


class State(Record):
    """A training after an epoch. Random states are none of it: each epoch has a seed of its own.

    Attributes:
        history: The epochs so far.
        module: The network's state dict; its tensors are those that are trained on.
        ema: That of the moving average, or None.
        optimizer: That of the optimiser.
        scaler: That of the scaler of half-precision gradients, or None.
    """

    history: tuple[Epoch, ...]
    module: Mapping[str, Tensor]
    ema: Mapping[str, Tensor] | None
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any] | None

    @property
    def best(self) -> Epoch:
        """The epoch with the best weights, the first of several."""
        return max(self.history, key=lambda epoch: epoch.best_top1)

    @property
    def is_best(self) -> bool:
        """Whether that is the last one."""
        return self.best is self.history[-1]

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The better ones of the weights after the last epoch."""
        last = self.history[-1]
        if self.ema is None or (last.ema_top1 or 0.0) < last.top1:
            return self.module
        return self.ema


def encode_state(state: State) -> bytes:
    """A file that holds a state."""
    buffer = io.BytesIO()
    history = [epoch.as_dict() for epoch in state.history]
    values = dict(zip(state.fields, state.values(), strict=True))
    torch.save({"format": FORMAT, **values, "history": history}, buffer)
    return buffer.getvalue()


def read_state(file: Path) -> State:
    """The state that a file holds, on the CPU.

    Raises:
        EfspecError: When it holds none.
    """
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        if found.pop("format") != FORMAT:
            raise ValueError("it is of another release")
        history = tuple(Epoch(**epoch) for epoch in found.pop("history"))
        return State(history=history, **found)
    except Exception as error:  # a damaged file fails anywhere in the reader
        raise fail(
            "damaged-run",
            f"the state cannot be read: {type(error).__name__}",
            file=str(file),
            fix="train into another folder",
        ) from None
