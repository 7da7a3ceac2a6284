"""What a search has found as one page and as pictures."""

from __future__ import annotations

from functools import cache
from typing import Any

from efspec.diagram.cloud import cloud
from efspec.diagram.drawing import Form
from efspec.diagram.pareto import Axis, Point
from efspec.resources import folder
from efspec.search.runs import Found, Settings
from efspec.spec.candidates import StageChoice

METRICS = ("mes", "latency_ms", "params", "macs")
"""Figures that the page shows, where they are known."""
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
    picture = drawing(name, found, "svg").decode()
    stages = [
        {"number": i, "networks": {t: _stage(one.candidate.stages[i]) for t, one in networks}}
        for networks in [list(found.targets.items())]
        for i in range(len(networks[0][1].candidate.stages) if networks else 0)
    ]
    from markupsafe import Markup

    template = _environment().get_template("report.html.jinja")
    page: str = template.render(
        name=name,
        settings=settings,
        found=found,
        metrics=[metric for metric in METRICS if metric in known],
        score_name="MES",
        picture=Markup(picture[picture.index("<svg") :]),  # it is ours
        stages=stages,
        ended=ENDED[found.outcome.ended] if found.outcome else "",
    )
    return page


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


def _stage(choice: StageChoice) -> str:
    ratios = " ".join(f"{ratio:g}" for ratio in choice.expansion_ratio)
    attention = f", {choice.attention_depth} with attention" if choice.attention_depth else ""
    return f"{choice.depth} x {choice.width}{attention}; {ratios}"


def _figure(value: float) -> str:
    whole = value == int(value)
    return f"{int(value):,}" if whole else f"{value:,.4g}"


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder("templates")),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = _figure
    return environment
