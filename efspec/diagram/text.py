"""How wide text is, and where it breaks, without a font at hand.

Nobody knows which font a viewer has. Widths are those of DejaVu Sans, which is wider than nearly
all others, rounded up: what fits by this measure fits.
"""

from __future__ import annotations

import unicodedata

_WIDTHS = {
    **dict.fromkeys("ijl'", 0.32),
    **dict.fromkeys(" .,:;!|fItr()[]/·", 0.45),
    **dict.fromkeys("mwMW@%—…", 1.0),
    **dict.fromkeys("ABCDEFGHKNOPQRSUVXYZ&^×→+=<>~#", 0.84),
}
_OTHER = 0.65
_FOREIGN = 0.9
_WIDE = 1.2
_BOLD = 1.1


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in the units of its font size."""
    return sum(map(_character, text)) * size * (_BOLD if bold else 1.0)


def _character(c: str) -> float:
    if c in _WIDTHS:
        return _WIDTHS[c]
    if c.isascii():
        return _OTHER
    return _WIDE if unicodedata.east_asian_width(c) in "WF" else _FOREIGN


def wrap(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """A text in lines no wider than some room: broken at spaces, within words only if it must be.

    Args:
        text: The text.
        size: Its font size.
        room: How wide a line may be; a line holds one character at least.
        bold: Whether it is bold.
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined, size, bold=bold) <= room:
            lines[-1] = joined
            continue
        pieces = _pieces(word, size, room, bold)
        lines = [*lines, *pieces] if lines[-1] else pieces
    return lines


def _pieces(word: str, size: float, room: float, bold: bool) -> list[str]:
    pieces = [""]
    for c in word:
        if pieces[-1] and width(pieces[-1] + c, size, bold=bold) > room:
            pieces.append("")
        pieces[-1] += c
    return pieces


def printable(text: str) -> str:
    """A text without what has no shape or turns others around, such as control characters."""
    return "".join(
        c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
