"""A network as a Mermaid flowchart, which code hosts and notebooks draw within Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from efspec.diagram.figure import KINDS, Band, Figure, Run, figure
from efspec.diagram.style import LIGHT
from efspec.diagram.text import printable
from efspec.diagram.words import amount, details, result, sizes, title
from efspec.plan import Plan

MAX_WIDTH = 320
"""How wide a label may be, in pixels, before Mermaid wraps it."""

_SAFE = re.compile(r"[^\w .,:()/×→·+-]")


def mermaid(plan: Plan) -> str:
    """The flowchart of a network, the same text each time.

    Boxes have colours of their own, dark text on light, so that both of Mermaid's themes do.
    """
    drawn = figure(plan)
    return "\n".join([*_head(drawn), *_body(drawn), *_styles(drawn)]) + "\n"


def _head(drawn: Figure) -> Iterator[str]:
    yield from ("---", f"title: {json.dumps(printable(drawn.name))}")
    yield from ("config:", "  flowchart:", f"    wrappingWidth: {MAX_WIDTH}", "---")
    yield "flowchart TB"
    yield f"  accTitle: {_escaped(drawn.name)}"
    total = f"{drawn.params:,} parameters, {drawn.macs:,} MACs"
    yield f"  accDescr: {_escaped(f'Input {sizes(drawn.input)}, {total}')}"


def _body(drawn: Figure) -> Iterator[str]:
    """Stages below each other, and in each its runs of equal blocks from left to right."""
    yield f'  input(["input {sizes(drawn.input)}"])'
    names = ["input"]
    for i, band in enumerate(drawn.bands):
        if not band.runs:
            continue
        # What leads into a stage ends at its frame: an arrow into it would cross its label.
        names.append(f"band{i}")
        yield f'  subgraph {names[-1]}["{_band_label(band)}"]'
        yield "    direction LR"
        for j, run in enumerate(band.runs):
            yield f'    n{i}_{j}["{_label(run)}"]'
        if band.chained and len(band.runs) > 1:
            yield "    " + " --> ".join(f"n{i}_{j}" for j in range(len(band.runs)))
        yield "  end"
    yield f'  output(["{" and ".join(map(result, drawn.bands[-1].outputs))}"])'
    yield "  " + " --> ".join([*names, "output"])


def _band_label(band: Band) -> str:
    words = [band.name.capitalize()]
    if band.name != "head":
        words += map(result, band.outputs)
    words += ["returned"] * band.returned
    words += [f"{amount(band.params)} params", f"{amount(band.macs)} MACs"]
    return _escaped(" · ".join(words))


def _label(run: Run) -> str:
    return "<br/>".join(map(_escaped, filter(None, [title(run), *details(run)])))


def _styles(drawn: Figure) -> Iterator[str]:
    """A class for each kind of block, and which blocks are of it."""
    for kind in KINDS:
        members = [
            f"n{i}_{j}"
            for i, band in enumerate(drawn.bands)
            for j, run in enumerate(band.runs)
            if run.kind == kind
        ]
        if members:
            fill, strong = LIGHT.kinds[kind]
            dashes = ",stroke-dasharray:6 3" if kind == "strided" else ""
            width = "2.5px" if kind in ("attention", "strided") else "1px"
            yield (
                f"  classDef {kind} fill:{fill},stroke:{strong},color:{LIGHT.text}"
                f",stroke-width:{width}{dashes}"
            )
            yield f"  class {','.join(members)} {kind}"


def _escaped(text: str) -> str:
    """A text in which nothing means anything to Mermaid, nor to HTML."""
    return _SAFE.sub(
        lambda match: f"#{ord(match[0])};", printable(text).replace("\N{NO-BREAK SPACE}", " ")
    )
