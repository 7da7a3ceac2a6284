"""Rules about activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from efspec.blocks.options import counted
from efspec.lint.rule import Match, Rule, option, placed_entries
from efspec.plan import Plan, ops_by_part
from efspec.plan.ops import Activation
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

SLOW = "hardswish"
"""Of silu, nobody is known to have published a figure that names a device."""
INSTEAD = "gelu"


def _hardswish(spec: NetworkSpec, plan: Plan) -> Iterator[Match]:
    """The fields that ask for it, once each, however many parts inherit it from there."""
    found: dict[Loc, list[str]] = {}
    firsts = {part.path: loc for loc, _, part in placed_entries(spec, plan)}
    for path, ops in ops_by_part(plan).items():
        if any(isinstance(one.op, Activation) and one.op.function == SLOW for one in ops):
            found.setdefault(_field(spec, _owner(path, firsts)), []).append(path)
    for loc, paths in found.items():
        message = f"{SLOW} in {counted(len(paths), 'part')}"
        yield Match(loc, paths[0], message, (option(loc, INSTEAD),))


def _owner(path: str, firsts: Mapping[str, Loc]) -> Loc:
    """The field behind a part; `firsts` has that of each entry by the path of its first block."""
    stages, _, rest = path.partition(".")
    if stages != "stages":
        return (stages,)
    number, kind, *index = rest.split(".")
    if kind != "blocks":
        return (stages, int(number), kind)
    before = (f"stages.{number}.blocks.{n}" for n in range(int(index[0]), -1, -1))
    return next(firsts[first] for first in before if first in firsts)


def _field(spec: NetworkSpec, owner: Loc) -> Loc:
    """The field that says a part's activation: its own, or the default that it inherits."""
    part: Any = spec
    for name in owner:
        part = part[name] if isinstance(name, int) else getattr(part, name)
    own = getattr(part, "act", "inherit")
    return ("defaults", "act") if own == "inherit" else (*owner, "act")


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
