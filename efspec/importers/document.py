"""The text of an imported network: its spec, below what was assumed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from efspec.importers.imported import Imported
from efspec.spec.dump import LINE_LENGTH, dump

MAX_SHOWN = 20
"""How much of what was left out is named."""


def document(imported: Imported, source: str) -> str:
    """The YAML of a spec, with comments that say where it is from and what was assumed.

    Args:
        imported: The network.
        source: What people call the file it is from.
    """
    return "".join(f"{line}\n" for line in _header(imported, source)) + dump(imported.spec)


def _header(imported: Imported, source: str) -> Iterator[str]:
    yield from _comment(f"Imported by efspec from {printable(source)} ({imported.format}).", "")
    if imported.assumed:
        yield "# Assumed, because it is not said there:"
    for assumption in imported.assumed:
        yield from _comment(str(assumption), "  ")
    if imported.left_out:
        yield from _comment(f"Left out: {left_out(imported)}.", "")


def left_out(imported: Imported) -> str:
    """What a description says besides that is no part of a network, in words."""
    named = ", ".join(map(printable, imported.left_out[:MAX_SHOWN]))
    more = len(imported.left_out) - MAX_SHOWN
    return f"{named} and {more:,} more" if more > 0 else named


def printable(text: str, width: int = 200) -> str:
    """A text of others without what could end a line, and without its end if it is long."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        LINE_LENGTH,
        initial_indent=f"# {indent}",
        subsequent_indent=f"# {indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
