"""Encodings in the manner of once-for-all: depths, expansion ratios and widths.

References:
    https://arxiv.org/abs/1908.09791
"""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Expected, Items, PerRepeat, Ratio, counted
from efspec.errors import Diagnostic
from efspec.importers.arguments import (
    Counts,
    Depths,
    Foreign,
    Means,
    Size,
    Widths,
    one_or_each,
    only,
)
from efspec.importers.description import Description, Format
from efspec.importers.outline import Family
from efspec.spec.between import MAX_BLOCKS
from efspec.spec.schema import SEVERAL
from efspec.spec.source_map import Loc, Node

SlotRatios = Annotated[
    Annotated[Ratio, Tag("one")]
    | Annotated[
        Annotated[Items[PerRepeat[Ratio]], Field(min_length=1, max_length=MAX_BLOCKS)], Tag("each")
    ],
    Discriminator(one_or_each),
    Expected("a number, a list of numbers, or a list with a list of numbers for each stage"),
]
Kernels = Annotated[
    Items[Annotated[Any, only(3, because="the blocks' kernels are 3x3")]], Expected("a list of 3")
]


class Encoding(Foreign):
    """A point of a search space over depth, expansion and width."""

    is_complete: ClassVar[bool] = False

    d: Annotated[Depths, Means("depths")]
    """Blocks of each stage."""
    e: Annotated[SlotRatios, Means("ratios")]
    """Expansion ratios: of all, of each stage, or of each block that there may be."""
    w: Annotated[Widths, Means("widths")]
    """Channels of each stage."""
    a: Annotated[Counts | None, Means("attention")] = None
    """How many blocks attend, the last ones of a stage."""
    r: Annotated[Size | None, Means("size")] = None
    """Input size."""
    ks: Kernels | None = None
    """Kernel sizes, which this space does not have."""

    @model_validator(mode="after")
    def _slots_fit(self) -> Encoding:
        if _by_stage(self.e, self.d) is None and isinstance(self.e, tuple):
            stages, deepest = len(self.d), max(self.d)
            mistake = Diagnostic(
                name="wrong-length",
                message=f"{counted(len(self.e), 'value')} for {counted(sum(self.d), 'block')} "
                f"in {counted(stages, 'stage')}",
                expected=f"a list for each stage, one value for each of {sum(self.d)} "
                f"blocks, or {stages} times as many as a stage may have, at least {deepest}",
            )
            raise PydanticCustomError(
                SEVERAL, "the slots do not fit", {"mistakes": [(("e",), mistake)]}
            )
        return self

    def given(self) -> dict[str, Any]:
        """See `Foreign.given`."""
        return {**super().given(), "ratios": _by_stage(self.e, self.d)}


class EncodingV1(Encoding):
    """An encoding of a V1 network."""

    origin: ClassVar[str] = "the fewest of a published V1 network"

    a: Annotated[Counts, Means("attention")] = 1


class EncodingV2(Encoding):
    """An encoding of a V2 network."""

    origin: ClassVar[str] = "the fewest of a published V2 network"

    a: Annotated[Counts, Means("attention")] = 2


MODELS: dict[Family, type[Encoding]] = {"v1": EncodingV1, "v2": EncodingV2}

Entry = float | tuple[float, ...]


def ofa_description(node: Node, path: Loc, name: str) -> Description:
    """The encoding in a mapping."""
    return Description(format=Format.ofa, root=node, path=path, name=name)


def _by_stage(
    ratios: float | tuple[Entry, ...], depths: tuple[int, ...]
) -> float | tuple[Entry, ...] | None:
    """The ratios of each stage's blocks, without those of blocks beyond the depth.

    Those stand in equal shares of a flat list, or at the end of a stage's own list. None when a
    flat list has no such shares.
    """
    if not isinstance(ratios, tuple):
        return ratios
    stages = len(depths)
    if len(ratios) == stages or any(isinstance(entry, tuple) for entry in ratios):
        shares = list(ratios)
    elif len(ratios) == sum(depths):
        ends = accumulate(depths)
        shares = [_flat(ratios[end - depth : end]) for end, depth in zip(ends, depths, strict=True)]
    elif len(ratios) % stages == 0 and len(ratios) // stages >= max(depths):
        slots = len(ratios) // stages
        shares = [_flat(ratios[i * slots : (i + 1) * slots]) for i in range(stages)]
    else:
        return None
    for i, (share, depth) in enumerate(zip(shares, depths, strict=False)):
        shares[i] = share[:depth] if isinstance(share, tuple) else share
    return tuple(shares)


def _flat(entries: tuple[Entry, ...]) -> tuple[float, ...]:
    return tuple(entry for entry in entries if not isinstance(entry, tuple))
