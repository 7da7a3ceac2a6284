"""Figures of matplotlib as files: the same bytes each time, whatever a user's settings are."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from efspec.diagram.style import DARK, LIGHT
from efspec.extras import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Form = Literal["svg", "png"]

PNG_DPI = 200


def check_matplotlib() -> None:
    """Refuse to plot without matplotlib.

    Raises:
        EfspecError: When it is not installed.
    """
    need("plots need", "matplotlib", extra="plot")


def drawn(make: Callable[[], Figure], form: Form) -> bytes:
    """The file of a figure that is made in the style of all.

    Args:
        make: Makes it.
        form: An SVG follows the reader's light or dark screen; a PNG is light.

    Raises:
        EfspecError: When matplotlib is not installed.
    """
    check_matplotlib()
    import matplotlib

    style: Any = {  # what its type is changes with the version of matplotlib
        "svg.hashsalt": "efspec",
        "svg.fonttype": "none",  # text stays text
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "text.color": LIGHT.text,
        "axes.labelcolor": LIGHT.text,
        "axes.edgecolor": LIGHT.line,
        "xtick.color": LIGHT.muted,
        "ytick.color": LIGHT.muted,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "text.parse_math": False,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # what a user's own settings are does not show
        matplotlib.rcParams.update(style)
        figure = make()
        buffer = io.BytesIO()
        if form == "png":
            figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
            return buffer.getvalue()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    return buffer.getvalue().replace(b"</style>", f"{_dark_rules()}</style>".encode(), 1)


def _dark_rules() -> str:
    """Rules that give each colour of the plot its dark counterpart on a dark screen."""
    pairs = [
        (LIGHT.background, DARK.background),
        (LIGHT.text, DARK.text),
        (LIGHT.muted, DARK.muted),
        (LIGHT.line, DARK.line),
        *((LIGHT.kinds[kind].strong, DARK.kinds[kind].strong) for kind in LIGHT.kinds),
    ]
    rules = [
        f'svg [style*="{what}: {light}"] {{ {what}: {dark} !important; }}'
        for light, dark in pairs
        for what in ("fill", "stroke")
    ]
    return "\n".join(["\n@media screen and (prefers-color-scheme: dark) {", *rules, "}\n"])
