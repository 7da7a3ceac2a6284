"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from efspec.blocks.mb3d import MB3DSpec
from efspec.blocks.options import BlockSpec
from efspec.cost.latency import Method
from efspec.plan import Part, Plan, parts
from efspec.record import Record
from efspec.spec.schema import NetworkSpec
from efspec.spec.source_map import Loc

CHEAP_QUERIES = 64
"""Attention of 49 queries is cheap, and of 196 dear; nobody published where it turns."""
USUAL_REDUCTION = 32
"""At 1/32 of the image the published networks attend without stride, whatever its size."""

Certainty = Literal["published", "elsewhere", "inference"]
"""How sure a rule is: measured and published for the device and the system in question, published
for another, or inferred from what is known."""
CERTAINTIES: tuple[Certainty, ...] = ("inference", "elsewhere", "published")
"""From the least sure to the surest."""


class Match(Record):
    """A place that a rule is about.

    Attributes:
        loc: The field that causes it.
        path: Module path of the part.
        message: What is there.
        changes: Options that take it away, as `--set` takes them; none where it takes a redesign.
        unpredictable: Why no table can say what that gains; empty where one can.
    """

    loc: Loc
    path: str
    message: str
    changes: tuple[str, ...] = ()
    unpredictable: str = ""


class Rule(Record):
    """Something that is known to cost speed.

    Attributes:
        name: What is found.
        certainty: How sure it is on the device that the evidence is of.
        device: That device; empty for what was inferred.
        os: Its system, whose figures do not compare with those of another; empty if not told.
        evidence: What was seen.
        source: Who says so.
        advice: What to do.
        find: The places of it in a network.
    """

    name: str
    certainty: Certainty
    device: str
    os: str
    evidence: str
    source: str
    advice: str
    find: Callable[[NetworkSpec, Plan], Iterable[Match]]


class Gain(Record):
    """What a change would gain on a device.

    Attributes:
        ms: Milliseconds less.
        mes: How much larger the Mobile Efficiency Score; None without its constants.
        device: The device.
        coverage: Share of the changed network's latency that each method accounts for.
    """

    ms: float
    mes: float | None
    device: str
    coverage: dict[Method, float]


class Finding(Record):
    """Something in a network that is known to cost speed.

    Attributes:
        rule: Name of the rule.
        certainty: How sure it is for the device in question.
        field: The field that causes it, as the user wrote it.
        path: Module path of the part.
        message: What is there.
        evidence: What was seen of it.
        source: Who says so.
        advice: What to do.
        changes: Options that do it, as `--set` takes them.
        gain: What that would gain, where the device's table can say; else None.
        unknown: Why the gain is not known; empty where it is, or where nobody asked.
        file: The spec's file; empty where there is none.
        line: Line of the field, counted from 1; 0 where it is not known.
        column: Column of the field, counted from 1; 0 where it is not known.
    """

    rule: str
    certainty: Certainty
    field: str
    path: str
    message: str
    evidence: str
    source: str
    advice: str
    changes: tuple[str, ...]
    gain: Gain | None
    unknown: str
    file: str
    line: int
    column: int


def placed_entries(spec: NetworkSpec, plan: Plan) -> Iterator[tuple[Loc, BlockSpec, Part]]:
    """Every entry of blocks that the plan has: its field, itself, and its first block."""
    known = {part.path: part for part in parts(plan)}
    for i, stage in enumerate(spec.stages):
        first = 0
        for j, entry in enumerate(stage.blocks):
            part = known.get(f"stages.{i}.blocks.{first}")
            if part:  # a pyramid may end before
                yield ("stages", i, "blocks", j), entry, part
            first += entry.repeat


def is_wide(spec: NetworkSpec, part: Part) -> bool:
    """Whether attention from every place of a part's input is dear: the map is fine, and large."""
    height, width = part.input.space or (0, 0)
    return reduction(spec, part) < USUAL_REDUCTION and height * width > CHEAP_QUERIES


def on_maps(spec: NetworkSpec, loc: Loc, entry: BlockSpec, part: Part) -> tuple[str, ...]:
    """The changes that make blocks on tokens such on maps; none where their type is not known.

    Every option of `mb3d` is one of `attn_ffn`, too; where the map is large, it gets a stride.
    """
    if not isinstance(entry, MB3DSpec):
        return ()
    stride = (option((*loc, "stride"), "2"),) if is_wide(spec, part) else ()
    return (option((*loc, "type"), "attn_ffn"), *stride)


def reduction(spec: NetworkSpec, part: Part) -> int:
    """The image over a part's input, as a power of two: maps are halved, and rounded up."""
    scale = 1
    sides = part.input.space or (1, 1)
    pairs = list(zip(spec.input.height_width, sides, strict=True))
    while any(side < -(-pixels // scale) for pixels, side in pairs):
        scale *= 2
    return scale


def option(loc: Loc, value: str) -> str:
    """A change as `--set` takes it."""
    return f"{'.'.join(map(str, loc))}={value}"
