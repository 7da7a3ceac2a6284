"""V1's supernet: each slot mixes the blocks that could stand there, and nothing at all.

A meta path holds the block without attention, the block with attention where the stage may have
it, and the identity. In training, it gives the sum of what they give, weighted by a Gumbel-softmax
of its learned importances. The network is as wide as the space allows; a member is made of the
paths that it keeps, and narrower ones take leading slices.

What the paper leaves open, and what is done here:

- It prints the noise as drawn from U(0, 1). That is no Gumbel noise, and the weights would not be
  samples of anything; so it is -log(-log U) by default, and as printed on request.
- As printed, the temperature divides the numerators only, and weights would not sum to one. It
  divides what is in the exponents, as in the Gumbel-softmax that is cited.
- Importances are ratios, and could not be if they had any sign: ratios are taken of their softmax.
- Noise is drawn once per path and batch: it stands for a choice of network, not of image.
- All stages have the same temperature. How it falls is not said: exponentially, see `temperature`.
- Where a member may end without attention, its head has a norm that the mixture has not: one of
  maps, of which only the statistics are found.
- Which paths a member keeps is what slimming by importance would leave: of each stage, those that
  matter most. The last of them have attention.

References:
    https://arxiv.org/abs/2206.01191, https://arxiv.org/abs/1611.01144
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, NoReturn, assert_never

import torch
from torch import Tensor, nn

from efspec.plan import PlacedOp, Shape
from efspec.plan.ops import ToMap, ToTokens
from efspec.pytorch.interpret import Mode, execute, in_training, run
from efspec.spec.candidates import Candidate
from efspec.spec.space import SpaceSpec
from efspec.supernet.layout import Layout, Slots, Subnet, whole
from efspec.supernet.supernet import (
    Outputs,
    State,
    Statistics,
    Supernet,
    as_outputs,
    check_seen,
    missing_statistics,
)

Noise = Literal["gumbel", "uniform", "none"]
START, END = 5.0, 0.1
"""Temperatures at the start, where all paths learn, and at the end, where one is nearly alone."""

Ops = Sequence[PlacedOp]
_SLOT = re.compile(r"stages\.(\d+)\.blocks\.(\d+)[./]")


def temperature(progress: float, start: float = START, end: float = END) -> float:
    """The temperature after a part of the training, from 0 to 1: it falls exponentially."""
    return float(start * (end / start) ** progress)


class MetaPaths(Supernet):
    """A supernet of a single width, whose slots learn which block they need, if any.

    Batch norms are there once: weights of narrower members are leading slices, and statistics of
    any member have to be found by `calibrate`.

    Args:
        space: The space.
        seed: Seed of the initial weights.
        noise: What is added to importances in training; see the module.

    Attributes:
        alpha: For each stage, importances (slots, paths); paths are the block without attention,
            that with attention if there is one, and the identity.
        temperature: What importances are divided by; a schedule changes it.

    Raises:
        EfspecError: When the seed is out of range, or there are too many parameters.
    """

    def __init__(self, space: SpaceSpec, seed: int = 0, noise: Noise = "gumbel") -> None:
        apart = tuple(stage.attention is not None for stage in space.stages)
        super().__init__(Layout(space, apart, separate=False), seed)
        self.noise: Noise = noise
        self.temperature = START
        self.alpha = nn.ParameterList(
            torch.zeros(stage.depth[-1], 2 + attention)
            for stage, attention in zip(space.stages, apart, strict=True)
        )

    def forward(
        self,
        images: Tensor,
        candidate: Candidate | None = None,
        statistics: Statistics | None = None,
    ) -> Outputs:
        """What a member gives for images (B, C, H, W); without one, what all paths give, mixed.

        Raises:
            EfspecError: In eval mode, when there are no statistics of one of its batch norms.
        """
        if candidate is not None:
            return super().forward(images, candidate, statistics)
        return as_outputs(self._mixture(images))

    def slots(self, candidate: Candidate) -> Slots:
        """The paths of each stage that matter most, as many as the member has blocks."""
        kept = []
        for ratios, choice in zip(self.importances(), candidate.stages, strict=True):
            order = sorted(range(len(ratios)), key=ratios.__getitem__, reverse=True)
            kept.append(tuple(sorted(order[: choice.depth])))
        return tuple(kept)

    @torch.no_grad()
    def importances(self) -> tuple[tuple[float, ...], ...]:
        """Of each path of each stage: its blocks' shares of the softmax over the identity's.

        The importance of a stage is the sum of those of its paths.
        """
        shares = [alpha.softmax(dim=-1) for alpha in self.alpha]
        return tuple(tuple(((1 - p[:, -1]) / p[:, -1]).tolist()) for p in shares)

    def path_weights(self) -> tuple[Tensor, ...]:
        """Weights (slots, paths) of each stage's paths: with noise in training, else without."""
        found = []
        for alpha in self.alpha:
            logits = alpha + self._noise(alpha) if self.training else alpha
            found.append((logits / self.temperature).softmax(dim=-1))
        return tuple(found)

    def _noise(self, alpha: Tensor) -> Tensor:
        match self.noise:
            case "gumbel":
                return -torch.empty_like(alpha).exponential_().log()
            case "uniform":
                return torch.rand_like(alpha)
            case "none":
                return torch.zeros_like(alpha)
            case _:
                assert_never(self.noise)

    def _mixture(self, images: Tensor) -> tuple[Tensor, ...]:
        """The network with attention wherever it may be, whose blocks give way to meta paths."""
        space = self.layout.space
        bare, full = (self.subnet(whole(space, attention)) for attention in (False, True))
        bare_state, state = self.slices(bare.in_slots()), self.slices(full.sites)
        mode: Mode = "train" if self.training else "infer"
        if not self.training:
            check_seen(full.sites, state)
            check_seen(bare.in_slots(), bare_state)
        others = {slot: ops for slot, ops in _segments(bare.plan.ops()) if slot}
        plan = full.plan
        ops, wanted = in_training(plan) if self.training else (plan.ops(), plan.outputs())
        weights = self.path_weights()
        values = {0: images}
        for slot, segment in _segments(ops):
            if slot is None:
                made = [number for op in segment for number in op.outputs]
                results = execute(segment, made, state, dict(values), mode=mode)
                values |= dict(zip(made, results, strict=True))
                continue
            stage, number = slot
            x = values[segment[0].inputs[0]]
            paths = [_through(others[slot], bare_state, x, segment, mode)]
            if self.layout.apart[stage]:
                paths.append(_through(segment, state, x, segment, mode))
            mixed = weights[stage][number, -1] * x
            for path, result in enumerate(paths):
                mixed = mixed + weights[stage][number, path] * result
            values[segment[-1].outputs[0]] = mixed
        return tuple(values[number] for number in wanted)

    def check_statistics(self, one: Subnet, state: State) -> NoReturn:
        """See `Supernet.check_statistics`: what training left is of the mixture alone."""
        del one, state
        raise missing_statistics("batch norms have the statistics of all paths, mixed")


def _segments(ops: Ops) -> Iterator[tuple[tuple[int, int] | None, list[PlacedOp]]]:
    """A network's ops in pieces: stage and number of each slot, None for what is between them."""
    return ((slot, list(segment)) for slot, segment in groupby(ops, _slot))


def _slot(op: PlacedOp) -> tuple[int, int] | None:
    found = _SLOT.match(op.id)
    return (int(found[1]), int(found[2])) if found else None


def _through(ops: Ops, state: State, x: Tensor, place: Ops, mode: Mode) -> Tensor:
    """What a block gives in the place of another, in the representation that this one has.

    Args:
        ops: The block's, with its tensors in `state`.
        state: A state dict.
        x: What the other takes.
        place: The other's ops.
        mode: What the run is for.
    """
    x = _as(ops[0].input_shapes[0], x, place[0].input_shapes[0])
    (y,) = execute(ops, ops[-1].outputs, state, {ops[0].inputs[0]: x}, mode=mode)
    return _as(place[-1].output_shapes[0], y, ops[-1].output_shapes[0])


def _as(wanted: Shape, x: Tensor, shape: Shape) -> Tensor:
    """A value as a map or as tokens, by the plan's own conversions."""
    if wanted.layout == shape.layout:
        return x
    assert shape.space is not None  # blocks take maps or tokens
    result = run(ToTokens() if wanted.layout == "tokens" else ToMap(*shape.space), {}, [x])
    assert isinstance(result, Tensor)  # conversions have one
    return result
