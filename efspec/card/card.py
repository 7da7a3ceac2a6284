"""A card's contents, as Markdown and as HTML."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from efspec.card.snippets import pytorch, swift
from efspec.codegen import class_name
from efspec.cost import Score
from efspec.deploy import deploy
from efspec.diagram import mermaid, svg
from efspec.plan import Plan
from efspec.record import Node, Record
from efspec.templates import environment

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$-])")
"""What Markdown may read as more than itself."""


class Artefact(Record):
    """A file or folder that comes with a network.

    Attributes:
        target: What it is: `code`, `weights`, `coreml`, ...
        file: Its name.
        bytes: Its size.
        check: How it was checked, and with what result; empty if it was not.
    """

    target: str
    file: str
    bytes: int
    check: str


class Interface(Record):
    """What a Core ML package takes and gives.

    Attributes:
        file: Name of the package.
        precision: `fp16` or `fp32`.
        ios: First release of iOS that it is for.
        image: Whether it takes an image, and not a tensor.
        outputs: Names of its outputs.
        labels: Whether it gives a label.
        findings: What may keep it off the Neural Engine: what, basis, meaning, ops, source.
    """

    file: str
    precision: str
    ios: int
    image: bool
    outputs: tuple[str, ...]
    labels: bool
    findings: tuple[tuple[str, str, str, int, str], ...]


class Card(Node):
    """What a card tells.

    Attributes:
        plan: The network.
        score: What it costs.
        spec: Its spec as YAML; empty where only the plan is known.
        latency_from: Where the latency comes from, and by which protocol; empty without one.
        weights: Where the weights come from.
        artefacts: What comes with it.
        coreml: What the Core ML package takes and gives, if there is one.
    """

    plan: Plan
    score: Score
    spec: str
    latency_from: str
    weights: str
    artefacts: tuple[Artefact, ...]
    coreml: Interface | None = None


def markdown(card: Card) -> str:
    """The card as Markdown, its picture as Mermaid, which code forges draw."""
    return _render(card, "card.md.jinja", mermaid(card.plan))


def html(card: Card) -> str:
    """The card as one HTML file that needs nothing else, light or dark as the reader wants it."""
    return _render(card, "card.html.jinja", Markup(svg(card.plan)))  # which escapes what it writes


def _render(card: Card, template: str, picture: str) -> str:
    files = {artefact.target: artefact.file for artefact in card.artefacts}
    deployed = deploy(card.plan).plan
    return (
        _environment()
        .get_template(template)
        .render(
            card=card,
            plan=card.plan,
            score=card.score,
            picture=picture,
            ops=(len(card.plan.ops()), len(deployed.ops())),
            class_name=class_name(card.plan.name),
            pytorch=pytorch(card.plan, files.get("code"), files.get("weights")),
            swift=swift(card.plan, card.coreml) if card.coreml else "",
        )
    )


@cache
def _environment() -> Environment:
    made = environment()
    made.filters.update(plain=_plain, size=_size, fence=_fence, amount=_amount)
    return made


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _fence(text: str) -> str:
    """What a block of code that holds a text begins and ends with."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)


def _size(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _amount(count: int) -> str:
    """A number of bytes in the unit that suits it."""
    if count < 1 << 10:
        return f"{count} B"
    return f"{count / (1 << 20):.2f} MiB" if count >= 1 << 20 else f"{count / (1 << 10):.1f} KiB"
