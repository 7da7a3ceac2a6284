"""Rules about the number and the widths of stages."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.lint.rule import Match, Rule, option
from efspec.plan import Plan
from efspec.spec.schema import NetworkSpec

MOST = 4
GRAIN = 8
"""What the widths of all published networks are multiples of."""


def _fifth(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    for i in range(MOST, len(spec.stages)):
        yield Match(("stages", i), f"stages.{i}", f"stage {i + 1} of {len(spec.stages)}")


def _grain(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    for i, stage in enumerate(spec.stages):
        width = stage.width
        if width % GRAIN == 0:
            continue
        better = max(GRAIN, round(width / GRAIN) * GRAIN)
        # Stages without a downsample in between have one width, and so has the stem.
        same = [i]
        while same[-1] + 1 < len(spec.stages) and spec.stages[same[-1] + 1].downsample is None:
            same.append(same[-1] + 1)
        changes = [option(("stages", n, "width"), str(better)) for n in same]
        changes += [option(("stem", "width"), str(better))] if i == 0 else []
        if i == 0 or stage.downsample is not None:
            message = f"{width} channels, which is no multiple of {GRAIN}"
            yield Match(("stages", i, "width"), f"stages.{i}", message, tuple(changes))


FIFTH_STAGE = Rule(
    "fifth-stage",
    "published",
    "iPhone 12",
    "iOS 16",
    "a network of five stages takes 1.5 ms, with 12.63 M parameters and 80.3 % top-1, where one of"
    " four takes 1.3 ms, with 12.24 M and 80.5 % (iOS 16)",
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
