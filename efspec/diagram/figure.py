"""What a diagram shows of a network, however it is drawn.

Nothing here knows a block type: what a block is follows from the ops in it, so that blocks which
nobody has heard of are drawn like those that are shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

from efspec.cost import score
from efspec.diagram.contents import Attention, Contents, contents, head_words
from efspec.plan import Part, Plan, Shape, Value, head_steps, parts
from efspec.plan.module import CallStep
from efspec.record import Node

Kind = Literal["plain", "attention", "strided", "resample", "conversion", "head"]
KINDS: tuple[Kind, ...] = get_args(Kind)

KIND_LABELS: dict[Kind, str] = {
    "plain": "block without attention",
    "attention": "attention",
    "strided": "strided attention",
    "resample": "change of resolution",
    "conversion": "change of representation",
    "head": "head",
}

STEM, DOWNSAMPLE = "stem", ".downsample"
"""Ends of the paths of parts that change resolutions, or could if the map were larger."""

_STAGE = re.compile(r"stages\.(\d+)")


class Run(Node):
    """Blocks that follow each other and are alike but for their expansion.

    Attributes:
        path: Module path of the first.
        type: Name of their class.
        kind: What they are, for the eye.
        count: How many they are.
        input: Shape of what each takes.
        output: Shape of what each gives.
        words: The ops of each that compute, in order.
        attention: The attention in each, if there is one.
        expansions: Hidden channels over width, of each; empty where there is no such thing.
        summary: What their class says it is, in short.
    """

    path: str
    type: str
    kind: Kind
    count: int
    input: Shape
    output: Shape
    words: tuple[str, ...]
    attention: Attention | None
    expansions: tuple[float, ...]
    summary: str


class Band(Node):
    """A stage, the stem or the head.

    Attributes:
        name: `stem`, `stage 0`, `head`.
        outputs: What it gives: one shape, but for a head that returns several maps.
        runs: Its blocks, in order.
        chained: Whether each takes what the one before gives.
        params: Its trainable parameters.
        macs: Its multiply-accumulates.
        returned: Whether the network returns its result beside passing it on.
    """

    name: str
    outputs: tuple[Shape, ...]
    runs: tuple[Run, ...]
    chained: bool
    params: int
    macs: int
    returned: bool


class Figure(Node):
    """A network as a diagram shows it.

    Attributes:
        name: Name of the spec.
        description: What the spec says it is.
        hash: sha256 of the spec's resolved dump.
        input: Channels, height and width of the input.
        bands: Stem, stages and head, in order.
        params: Trainable parameters.
        macs: Multiply-accumulates.
    """

    name: str
    description: str
    hash: str
    input: tuple[int, int, int]
    bands: tuple[Band, ...]
    params: int
    macs: int


def figure(plan: Plan) -> Figure:
    """What a diagram of a network shows."""
    whole = score(plan)
    costs = {row.name: row for row in whole.blocks}
    returned = _returned_stages(plan)
    bands = []
    for name, members in _members(plan).items():
        is_head = name == "head"
        bands.append(
            Band(
                name=name,
                outputs=tuple(value.shape for value in plan.network.outputs)
                if is_head
                else (members[-1].output,),
                runs=tuple(_runs(plan, members)),
                chained=not is_head or len(plan.network.outputs) == 1,
                params=sum(costs[part.path].params for part in members),
                macs=sum(costs[part.path].macs for part in members),
                returned=name in returned,
            )
        )
    return Figure(
        name=plan.name,
        description=plan.description,
        hash=plan.hash,
        input=plan.input,
        bands=tuple(bands),
        params=whole.params,
        macs=whole.macs,
    )


def _members(plan: Plan) -> dict[str, list[Part]]:
    """The parts of each band. Conversions belong to the stage that they feed, or to the head."""
    feeding = {
        value for step in plan.network.calls() if step.module.block.inline for value in step.inputs
    }
    fed = {step.name for step in plan.network.calls() if step.outputs[0] in feeding}
    stem, *others = parts(plan)
    found = {"stem": [stem]}
    waiting: list[Part] = []
    for part in others:
        if part.stage is not None:
            found.setdefault(f"stage {part.stage}", []).extend([*waiting, part])
            waiting = []
        elif "." in part.path or part.path in fed:
            waiting.append(part)
        else:
            found.setdefault("head", []).append(part)
    head = found.pop("head", [])  # what leads to several maps stands between their stages
    return {**found, "head": head}


def _runs(plan: Plan, members: list[Part]) -> Iterable[Run]:
    """The parts of a band, alike ones joined."""
    groups: list[list[tuple[Part, Contents]]] = []
    for part in members:
        own = _contents(plan, part)
        if groups and _alike(groups[-1][-1], (part, own)):
            groups[-1].append((part, own))
        else:
            groups.append([(part, own)])
    for group in groups:
        part, own = group[0]
        kind = _kind(part, own)
        profiled = kind in ("plain", "attention", "strided")
        yield Run(
            path=part.path,
            type=part.type,
            kind=kind,
            count=len(group),
            input=part.input,
            output=part.output,
            words=own.words,
            attention=own.attention,
            expansions=_expansions([own for _, own in group]) if profiled else (),
            summary=_first_paragraph(part),
        )


def _contents(plan: Plan, part: Part) -> Contents:
    if part.module is None:
        return Contents(words=head_words(head_steps(plan)), attention=None, hidden=None)
    return contents(part.module)


def _alike(a: tuple[Part, Contents], b: tuple[Part, Contents]) -> bool:
    """Whether two parts differ in nothing but hidden channels and drop-path rates."""
    (one, inside), (other, within) = a, b
    if one.module is None or other.module is None:
        return False
    known, found = one.module.arguments, other.module.arguments
    return (
        (one.type, one.module.variant, one.input, one.output, known.keys(), inside.words)
        == (other.type, other.module.variant, other.input, other.output, found.keys(), within.words)
    ) and all(
        known[name] == found[name]
        or name == "drop_path"
        or (known[name] == inside.hidden and found[name] == within.hidden)
        for name in known
    )


def _expansions(inside: list[Contents]) -> tuple[float, ...]:
    return tuple(own.hidden / own.width for own in inside if own.hidden is not None)


def _kind(part: Part, inside: Contents) -> Kind:
    if part.module is None:
        return "head"
    if inside.converts:
        return "conversion"
    if inside.attention:
        height, width = part.input.space or (0, 0)
        strided = min(inside.attention.queries, inside.attention.keys) < height * width
        return "strided" if strided else "attention"
    resamples = part.path.endswith((STEM, DOWNSAMPLE)) or part.input.space != part.output.space
    return "resample" if resamples else "plain"


def _first_paragraph(part: Part) -> str:
    text = part.module.block.summary() if part.module else ""
    return " ".join(text.partition("\n\n")[0].split())


def _returned_stages(plan: Plan) -> set[str]:
    """The bands of the stages whose results the network returns, as a backbone does."""
    makers: dict[Value, CallStep] = {}
    sources: dict[Value, Value] = {}
    for step in plan.network.steps:
        for value in step.outputs:
            if isinstance(step, CallStep) and step.module.block.inline:
                makers[value] = step
            else:
                sources[value] = step.inputs[0]
    found: set[str] = set()
    for value in plan.network.outputs:
        while value in sources:  # norms and conversions of the head
            value = sources[value]
        match = _STAGE.fullmatch(makers[value].name) if value in makers else None
        if match:
            found.add(f"stage {match[1]}")
    return found
