"""From a plan to the text of a file, through templates that users may replace."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment

from efspec.codegen.layout import docstring, signature
from efspec.codegen.naming import class_name
from efspec.codegen.network import NetworkWriter
from efspec.errors import fail
from efspec.plan import Plan
from efspec.templates import environment

GENERATED_FORMAT = 1
"""Raised when the same spec gives different source than before."""

_TEMPLATE = "network.py.jinja"


def generate(plan: Plan, templates: Path | None = None) -> str:
    """Source of a standalone file that defines a plan's network and imports only torch.

    The same plan gives the same bytes, in any process and under any version of efspec that writes
    this `GENERATED_FORMAT`.

    Args:
        plan: The network.
        templates: A folder whose templates take the place of the shipped ones of their name.

    Raises:
        EfspecError: When a template of the user's cannot be rendered.
    """
    if templates is not None and not templates.is_dir():
        raise fail("no-such-folder", "there is no such folder of templates", file=str(templates))
    writer = NetworkWriter(plan, class_name(plan.name), _summary(plan))
    found = _shipped() if templates is None else _environment(templates)
    try:
        return found.get_template(_TEMPLATE).render(
            plan=plan,
            network=writer.network,
            classes=[c for c in writer.classes.values() if c.name != writer.network.name],
            support=writer.support,
            format=GENERATED_FORMAT,
            description=ascii(plan.description.strip())[1:-1],
        )
    except Exception as error:  # a template of the user's may do anything
        if templates is None:
            raise
        line = getattr(error, "lineno", 0) or 0
        raise fail(
            "bad-template",
            f"{getattr(error, 'name', None) or _TEMPLATE}: {error or type(error).__name__}",
            file=str(templates),
            line=line,
            column=int(line > 0),
            fix="compare it with the shipped template of this name",
        ) from error


def _summary(plan: Plan) -> str:
    channels, height, width = plan.input
    outputs = [v.shape.sizes for v in plan.network.outputs]
    if len(outputs[0]) == 1:
        gives = f"logits (B, {outputs[0][0]})"
    else:
        (first, last) = (f"(B, {c}, {h}, {w})" for c, h, w in (outputs[0], outputs[-1]))
        gives = f"{len(outputs)} maps, {first} to {last}" if len(outputs) > 1 else f"a map {first}"
    return f"Images (B, {channels}, {height}, {width}) to {gives}."


@cache
def _shipped() -> Environment:
    return _environment()


def _environment(*templates: Path) -> Environment:
    made = environment(*templates)
    made.globals.update(signature=signature, docstring=docstring)
    return made
