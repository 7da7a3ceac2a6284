"""How wide text is taken to be."""

from __future__ import annotations

import string
from pathlib import Path

import matplotlib
import pytest
from matplotlib.ft2font import FT2Font

from efspec.diagram.text import printable, width, wrap

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
CHARACTERS = string.digits + string.ascii_letters + string.punctuation + " ×→·—…é"
TEXTS = [
    "AttentionDownsample",
    "8 heads, 784 × 196",
    "1×1 · dw 3×3 · 1×1",
    "expansion 4, 4, 3, 3",
    "3136 × 65,536 channels",
    "Mmmmillimetre WWW iiiillll",
]


@pytest.mark.parametrize("bold", [False, True], ids=["regular", "bold"])
@pytest.mark.parametrize("text", [*CHARACTERS, *TEXTS])
def test_no_text_is_wider_than_it_is_taken_to_be(text: str, bold: bool) -> None:
    font = FT2Font(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"))
    font.set_size(100, 72)
    advances = [font.load_char(ord(c)).linearHoriAdvance / 65536 for c in text]
    assert sum(advances) <= width(text, 100, bold=bold) + 0.5


@pytest.mark.parametrize("text", ["", "a", "one two three", "W" * 50, "a " * 40, "中文 😀 x"])
def test_lines_are_no_wider_than_there_is_room(text: str) -> None:
    for room in (20, 50, 300):
        lines = wrap(text, 11, room)
        assert all(width(line, 11) <= room for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_what_has_no_shape_is_replaced() -> None:
    assert (
        printable("a\x00b\u202ec\td\ud800 e\N{NO-BREAK SPACE}f") == "a�b�c�d� e\N{NO-BREAK SPACE}f"
    )
