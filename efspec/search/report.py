"""What a search has found as one page and as pictures."""

from __future__ import annotations

from functools import cache
from typing import Any

from efspec.diagram.cloud import cloud
from efspec.diagram.drawing import Form
from efspec.diagram.pareto import Axis, Point
from efspec.diagram.path import Line, Row, path
from efspec.search.joint import Outcome
from efspec.search.runs import Found, Settings
from efspec.spec.candidates import StageChoice

METRICS = ("mes", "latency_ms", "params", "macs")
"""Figures that the page shows, where they are known."""
LINES = {"mes": "MES", "latency_ms": "ms"}
"""Figures that the picture of the path shows, where they are known."""
ENDED = {
    "targets": "It ended when every target was met.",
    "actions": "It ended when no action was left that gains anything.",
    "budget": "It ended when the budget of evaluations was spent.",
}


def report(name: str, settings: Settings, found: Found) -> str:
    """A page on its own, in HTML.

    Args:
        name: Name of the space.
        settings: What was asked for.
        found: What was found.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    known = found.evaluated[0].figures if found.evaluated else {}
    picture = _inline(drawing(name, found, "svg"))
    way = _inline(path_drawing(name, found.outcome, "svg")) if found.outcome else ""
    stages = [
        {"number": i, "networks": {t: _stage(one.candidate.stages[i]) for t, one in networks}}
        for networks in [list(found.targets.items())]
        for i in range(len(networks[0][1].candidate.stages) if networks else 0)
    ]
    template = _environment().get_template("report.html.jinja")
    page: str = template.render(
        name=name,
        settings=settings,
        found=found,
        metrics=[metric for metric in METRICS if metric in known],
        score_name="MES",
        picture=picture,
        way=way,
        stages=stages,
        ended=ENDED[found.outcome.ended] if found.outcome else "",
    )
    return page


def _inline(picture: bytes) -> Any:
    """A picture within a page, which is ours and needs no escaping."""
    from markupsafe import Markup

    text = picture.decode()
    return Markup(text[text.index("<svg") :])


def drawing(name: str, found: Found, form: Form) -> bytes:
    """Accuracy against MES: what was evaluated, and the networks that were found.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    named = [Point(target, one.mes, one.accuracy) for target, one in found.targets.items()]
    if found.outcome:
        named.insert(0, Point("start", found.outcome.start.mes, found.outcome.start.accuracy))
    line = [(one.mes, one.accuracy) for one in found.front]
    return cloud(
        [one.mes for one in found.evaluated],
        [one.accuracy for one in found.evaluated],
        named,
        (Axis("MES", more_is_better=True), Axis("accuracy", more_is_better=True)),
        f"{name}: {len(found.evaluated):,} networks, and those that no other beats",
        form,
        line=line,
    )


def path_drawing(name: str, outcome: Outcome, form: Form) -> bytes:
    """What a search did, step by step: what its network was worth, and what became of each stage.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    networks = [outcome.start, *(step.after for step in outcome.steps)]
    lines = [
        Line("accuracy", [one.accuracy for one in networks]),
        *(
            Line(label, [one.figures[metric] for one in networks])
            for metric, label in LINES.items()
            if metric in outcome.start.figures
        ),
    ]
    rows = [
        row
        for i in range(len(outcome.start.candidate.stages))
        for row in _rows(i, [one.candidate.stages[i] for one in networks])
    ]
    marks: dict[int, str] = {}  # where the path meets targets; what was found may lie beside it
    for target, one in outcome.targets.items():
        step = networks.index(one)
        marks[step] = f"{marks[step]}, {target}" if step in marks else target
    title = f"{name}: from the largest network, one action a step"
    return path(lines, rows, marks, title, form)


def _rows(stage: int, choices: list[StageChoice]) -> list[Row]:
    """What a stage has on the path; what it always has alike is left out."""
    found = [
        Row(f"stage {stage}: width", [one.width for one in choices]),
        Row("blocks", [one.depth for one in choices]),
        Row("with attention", [one.attention_depth for one in choices]),
        Row("sum of ratios", [sum(one.expansion_ratio) for one in choices]),
    ]
    return [found[0], *(row for row in found[1:] if len(set(row.values)) > 1)]


def _stage(choice: StageChoice) -> str:
    ratios = " ".join(f"{ratio:g}" for ratio in choice.expansion_ratio)
    attention = f", {choice.attention_depth} with attention" if choice.attention_depth else ""
    return f"{choice.depth} x {choice.width}{attention}; {ratios}"


def _figure(value: float) -> str:
    whole = value == int(value)
    return f"{int(value):,}" if whole else f"{value:,.4g}"


@cache
def _environment() -> Any:
    from efspec.templates import environment

    made = environment()
    made.filters["figure"] = _figure
    return made
