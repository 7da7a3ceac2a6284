"""The published networks, as the shipped specs have them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from efspec.blocks.attn_ffn import AttnFFNSpec
from efspec.blocks.ffn import FFNSpec
from efspec.blocks.mb3d import MB3DSpec
from efspec.blocks.mb4d import MB4DSpec
from efspec.blocks.options import BlockSpec, ResidualSpec, at
from efspec.importers.outline import Family
from efspec.record import Record
from efspec.spec.files import shipped_specs
from efspec.spec.loader import load
from efspec.spec.schema import LinearSchedule, NetworkSpec

_BLOCKS: dict[Family, tuple[type[BlockSpec], type[BlockSpec]]] = {
    "v1": (MB4DSpec, MB3DSpec),
    "v2": (FFNSpec, AttnFFNSpec),
}
"""Local and attending block of each family."""


class Published(Record):
    """A published network.

    Attributes:
        name: Name of its spec.
        family: What it is one of.
        known: What it has, by field of an outline.
    """

    name: str
    family: Family
    known: Mapping[str, Any]


@cache
def published() -> tuple[Published, ...]:
    """The shipped networks of the two families."""
    specs = [load(name) for name in shipped_specs() if "/" not in name]
    return tuple(
        Published(spec.name, family, _values(spec, attending))
        for spec in specs
        for family, (local, attending) in _BLOCKS.items()
        if all(isinstance(b, local | attending) for stage in spec.stages for b in stage.blocks)
    )


def of_sizes(widths: object, depths: object) -> Published | None:
    """The published network that has these widths and depths."""
    wanted = (widths, depths)
    return next((p for p in published() if (p.known["widths"], p.known["depths"]) == wanted), None)


def _values(spec: NetworkSpec, attending: type[BlockSpec]) -> dict[str, Any]:
    schedule = spec.defaults.drop_path
    return {
        "widths": tuple(stage.width for stage in spec.stages),
        "depths": tuple(sum(block.repeat for block in stage.blocks) for stage in spec.stages),
        "ratios": tuple(
            tuple(ratio for block in stage.blocks for ratio in _ratios(block))
            for stage in spec.stages
        ),
        "attention": max(
            block.repeat
            for stage in spec.stages
            for block in stage.blocks
            if isinstance(block, attending)
        ),
        "drop_path": schedule.linear if isinstance(schedule, LinearSchedule) else schedule,
    }


def _ratios(block: BlockSpec) -> list[float]:
    assert isinstance(block, ResidualSpec)  # both families' blocks are
    return [at(block.expansion_ratio, i) for i in range(block.repeat)]
