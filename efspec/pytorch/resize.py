"""Attention biases of one input size at another.

A table (h, H * W) holds, for each of h heads, a bias per absolute offset of query and key on a map
of (H, W), at `dy * W + dx`.

References:
    Tables over absolute offsets: https://arxiv.org/abs/2104.01136
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  the name that everyone knows it by
from torch import Tensor

from efspec.errors import fail
from efspec.plan import BlockError, Plan, map_shape, mistake, trace
from efspec.pytorch.layouts import bias_tables
from efspec.spec.schema import MAX_SIZE, MIN_SIZE

Map = tuple[int, int]
"""Height and width of the map on which a table's offsets are measured."""


@dataclass(frozen=True)
class Retargeted:
    """A table that was interpolated: its name in efspec's layout, and both maps."""

    key: str
    source: Map
    target: Map


def interpolate(table: Tensor, source: Map, target: Map) -> Tensor:
    """The table (h, H * W) of one map for another, of the same type; for the same map, itself.

    The table is mirrored to signed offsets, so that offset 0 stands inside of what is
    interpolated and not at its edge. Bicubic with aligned corners keeps the farthest offset of
    one map at the farthest of the other. Of the result the offsets from 0 on are kept.
    """
    if source == target:
        return table
    precise = table if table.dtype == torch.float64 else table.float()
    height, width = target
    # On a map one pixel across only offset 0 is left; aligned corners would take the farthest.
    biases = precise.reshape(1, -1, *source)[
        :, :, : source[0] if height > 1 else 1, : source[1] if width > 1 else 1
    ]
    biases = torch.cat([biases[:, :, 1:].flip(2), biases], 2)
    biases = torch.cat([biases[:, :, :, 1:].flip(3), biases], 3)
    signed = F.interpolate(
        biases, size=(2 * height - 1, 2 * width - 1), mode="bicubic", align_corners=True
    )
    return signed[0, :, height - 1 :, width - 1 :].flatten(1).to(table.dtype)


def retarget(
    plan: Plan, state: Mapping[str, Tensor], from_size: tuple[int, int] | None = None
) -> tuple[dict[str, Tensor], tuple[Retargeted, ...], dict[str, str]]:
    """The attention-bias tables of a checkpoint for the plan's maps.

    Args:
        plan: The network.
        state: Tensors by efspec's own names, of which some may be missing or misshapen. What is
            no table of the right number of heads is left to whoever checks shapes.
        from_size: Height and width in pixels of the images that the checkpoint was trained on;
            None for the plan's where all tables fit, else for a square.

    Returns:
        The tables that were interpolated, by name; what they were; and what is wrong with those
        that no map explains, by name.

    Raises:
        EfspecError: When the network cannot take images of `from_size`.
    """
    tables = {
        key: state[key]
        for key, op in bias_tables(plan).items()
        if key in state
        and state[key].is_floating_point()
        and state[key].dim() == 2
        and state[key].shape[0] == op.num_heads
    }
    lengths = {key: table.shape[1] for key, table in tables.items()}
    sources = source_maps(plan, from_size) if from_size else guessed_maps(plan, lengths)
    result, retargeted, unfit = {}, [], {}
    targets = maps(plan)
    for key, table in tables.items():
        source, target = sources[key], targets[key]
        if source is None or math.prod(source) != lengths[key]:
            what = "no square map" if source is None else "not {}x{}".format(*source)
            unfit[key] = f"has {lengths[key]} offsets, {what}"
        elif source != target:
            result[key] = interpolate(table, source, target)
            retargeted.append(Retargeted(key, source, target))
    return result, tuple(retargeted), unfit


def source_maps(plan: Plan, size: tuple[int, int]) -> dict[str, Map]:
    """The map of each attention-bias table if the network's input had another size.

    Args:
        plan: The network.
        size: Height and width in pixels.

    Raises:
        EfspecError: When the network cannot take images of that size.
    """
    try:
        if not all(MIN_SIZE <= side <= MAX_SIZE for side in size):
            raise mistake("bad-source-size", f"sides are from {MIN_SIZE} to {MAX_SIZE:,} pixels")
        network = trace(plan.network.block, map_shape(plan.input[0], *size))
    except BlockError as error:
        raise fail(
            "bad-source-size",
            f"{plan.name} cannot have been trained at {size[0]}x{size[1]}: "
            + error.mistakes[0][1].message,
            expected="the input size that the checkpoint was trained at",
        ) from error
    return maps(Plan(plan.name, plan.description, plan.hash, network))


def maps(plan: Plan) -> dict[str, Map]:
    """The map of each attention-bias table, by its name in efspec's layout."""
    return {key: (op.height, op.width) for key, op in bias_tables(plan).items()}


def guessed_maps(plan: Plan, lengths: Mapping[str, int]) -> dict[str, Map | None]:
    """The map that each table of a checkpoint was trained on, or None where that is unknown.

    A checkpoint whose tables all have the plan's lengths is taken to be of the plan's size, any
    other to be of a square one.

    Args:
        plan: The network.
        lengths: Offsets in each table, by its name in efspec's layout.
    """
    own = maps(plan)
    if all(math.prod(own[key]) == length for key, length in lengths.items()):
        return {key: own[key] for key in lengths}
    return {key: _square(length) for key, length in lengths.items()}


def _square(length: int) -> Map | None:
    side = math.isqrt(length)
    return (side, side) if side and side * side == length else None
