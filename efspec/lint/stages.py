"""Rules about the number and the widths of stages."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.lint.rule import USUAL_REDUCTION, Match, Rule, option, placed_entries, reduction
from efspec.plan import Plan
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

GRAIN = 8
"""What the widths of all published networks are multiples of."""


def _fifth(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    """The first stage that is coarser than those of the published networks."""
    for loc, _, part in placed_entries(spec, plan):
        scale = reduction(spec, part)
        if scale > USUAL_REDUCTION:
            message = f"a stage at 1/{scale} of the image, {len(spec.stages)} in all"
            yield Match(loc[:2], f"stages.{loc[1]}", message)
            return


def _grain(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    for width, fields in _widths(spec):
        if width % GRAIN:
            better = max(GRAIN, round(width / GRAIN) * GRAIN)
            yield Match(
                fields[0],
                ".".join(map(str, fields[0][:-1])),
                f"{width} channels, which is no multiple of {GRAIN}",
                tuple(option(field, str(better)) for field in fields),
                "between the rows of a table, and in a model, no width stands out",
            )


def _widths(spec: NetworkSpec) -> list[tuple[int, list[Loc]]]:
    """Every width, and the fields that must agree: without a downsample, a width stays."""
    found: list[tuple[int, list[Loc]]] = [(spec.stem.width, [("stem", "width")])]
    for i, stage in enumerate(spec.stages):
        if stage.downsample:
            found.append((stage.width, []))
        found[-1][1].append(("stages", i, "width"))
    return found


FIFTH_STAGE = Rule(
    "fifth-stage",
    "published",
    "iPhone 12",
    "iOS 16",
    "a network of five stages, the last at 1/64, takes 1.5 ms, with 12.63 M parameters and 80.3 %"
    " top-1, where one of four takes 1.3 ms, with 12.24 M and 80.5 % (iOS 16)",
    "EfficientFormerV2, arXiv 2212.08059, table 1",
    "spend the parameters on four stages",
    _fifth,
)
CHANNEL_GRAIN = Rule(
    "channel-grain",
    "inference",
    "",
    "",
    "the widths of all published networks are multiples of 8, and the papers choose from multiples"
    " of 16 or 32; nobody published what another width costs",
    "arXiv 2206.01191 and 2212.08059, and their released code",
    "use a multiple of 8, or better of 16",
    _grain,
)
