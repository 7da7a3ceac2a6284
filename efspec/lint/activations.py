"""Rules about activations."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.lint.rule import Match, Rule, option
from efspec.plan import Plan
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

SLOW = "hardswish"
INSTEAD = "gelu"


def _hardswish(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    del plan
    for loc, path in _places(spec):
        change = option(loc, INSTEAD)
        yield Match(loc, path, f"the activation is {SLOW}", (change,))


def _places(spec: NetworkSpec) -> Iterator[tuple[Loc, str]]:
    """Where the activation is asked for, not where it is inherited."""
    if spec.defaults.act == SLOW:
        yield ("defaults", "act"), ""
    if getattr(spec.stem, "act", None) == SLOW:
        yield ("stem", "act"), "stem"
    for i, stage in enumerate(spec.stages):
        if getattr(stage.downsample, "act", None) == SLOW:
            yield ("stages", i, "downsample", "act"), f"stages.{i}.downsample"
        first = 0
        for j, entry in enumerate(stage.blocks):
            if getattr(entry, "act", None) == SLOW:
                yield ("stages", i, "blocks", j, "act"), f"stages.{i}.blocks.{first}"
            first += entry.repeat


HARDSWISH = Rule(
    "hardswish",
    "published",
    "iPhone 12",
    "iOS 15",
    "LeViT-256 takes 44.5 ms with HardSwish and 11.9 ms with GELU (iOS 15); GELU is hardly slower"
    " than ReLU",
    "EfficientFormer, arXiv 2206.01191, observation 4",
    "use gelu or relu",
    _hardswish,
)
