"""The colours of diagrams: readable on light and on dark, and told apart by eyes of any kind.

Hues follow Okabe and Ito (https://jfly.uni-koeln.de/color/); lightnesses differ, too. No colour
stands alone: each kind of block has a label, and attention has an outline of its own, dashed
where it is strided, so that a grey print says the same.
"""

from __future__ import annotations

from typing import NamedTuple

from efspec.diagram.figure import KINDS, Kind

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


class Colours(NamedTuple):
    """Colours of a kind of block: of its box, and of its outline and bars."""

    fill: str
    strong: str


class Theme(NamedTuple):
    """Colours of a whole diagram."""

    background: str
    text: str
    muted: str
    line: str
    kinds: dict[Kind, Colours]


LIGHT = Theme(
    background="#ffffff",
    text="#1a1d21",
    muted="#545b64",
    line="#9aa2ab",
    kinds={
        "plain": Colours("#e3eff8", "#005f99"),
        "attention": Colours("#fce8dc", "#ad4200"),
        "strided": Colours("#fdf2d8", "#c28800"),
        "resample": Colours("#def3ec", "#009e73"),
        "conversion": Colours("#f8e6f0", "#b3558a"),
        "head": Colours("#eceef0", "#3f464d"),
    },
)
DARK = Theme(
    background="#0f1317",
    text="#e9ecef",
    muted="#a9b1ba",
    line="#5d666f",
    kinds={
        "plain": Colours("#12293a", "#7cc7f3"),
        "attention": Colours("#3c2214", "#f2762a"),
        "strided": Colours("#372c11", "#f7d266"),
        "resample": Colours("#0e3127", "#1fb489"),
        "conversion": Colours("#35212d", "#e79ac6"),
        "head": Colours("#262b30", "#808992"),
    },
)


def css() -> str:
    """The style sheet of an SVG: light, and dark where the reader's screen is."""
    rules = [
        f".efspec text {{ font-family: {FONT}; }}",
        ".efspec .strong { font-weight: bold; }",
        ".efspec .box { stroke-width: 1; }",
        ".efspec .box.attention { stroke-width: 2.5; }",
        ".efspec .box.strided { stroke-width: 2.5; stroke-dasharray: 6 3; }",
        ".efspec .arrow { fill: none; stroke-width: 1.5; }",
        *_rules(LIGHT),
        "@media screen and (prefers-color-scheme: dark) {",
        *(f"  {rule}" for rule in _rules(DARK)),
        "}",
    ]
    return "\n" + "\n".join(rules) + "\n"


def _rules(theme: Theme) -> list[str]:
    rules = [
        f".efspec .background {{ fill: {theme.background}; }}",
        f".efspec text {{ fill: {theme.text}; }}",
        f".efspec text.muted {{ fill: {theme.muted}; }}",
        f".efspec .rule, .efspec .arrow {{ stroke: {theme.line}; }}",
        f".efspec .track {{ fill: {theme.line}; fill-opacity: 0.3; }}",
        f".efspec .share {{ fill: {theme.muted}; }}",
    ]
    for kind in KINDS:
        fill, strong = theme.kinds[kind]
        rules.append(f".efspec .box.{kind} {{ fill: {fill}; stroke: {strong}; }}")
        rules.append(f".efspec .bars.{kind} {{ fill: {strong}; }}")
    return rules
