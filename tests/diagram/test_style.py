"""Colours: text can be read on them, and everyone can tell them apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from efspec.diagram.style import DARK, LIGHT, Theme

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])

SEEN = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""How linear red, green and blue are seen, https://doi.org/10.1109/TVCG.2009.113."""

TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.089)
MIN_DISTANCE = 12
"""Least distance of two colours in CIE L*a*b*, in which 2 or 3 are just seen side by side."""

Numbers = tuple[float, ...]


def linear(colour: str) -> Numbers:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)


def times(matrix: tuple[Numbers, ...], vector: Numbers) -> Numbers:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def contrast(one: str, other: str) -> float:
    """Ratio of the luminances of two colours, https://www.w3.org/TR/WCAG21/#contrast-minimum."""
    low, high = sorted(times(TO_XYZ, linear(colour))[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Numbers) -> Numbers:
    xyz = times(TO_XYZ, tuple(min(1.0, max(0.0, c)) for c in rgb))
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (a / b for a, b in zip(xyz, WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@THEMES
def test_text_can_be_read(theme: Theme) -> None:
    assert contrast(theme.text, theme.background) >= 7
    assert contrast(theme.muted, theme.background) >= 4.5
    for fill, strong in theme.kinds.values():
        assert contrast(theme.text, fill) >= 7
        assert contrast(strong, theme.background) >= 3
        assert contrast(strong, fill) >= 2.5


@THEMES
@pytest.mark.parametrize("eyes", SEEN)
def test_kinds_can_be_told_apart(theme: Theme, eyes: str) -> None:
    seen = [lab(times(SEEN[eyes], linear(strong))) for _, strong in theme.kinds.values()]
    for one, other in combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
        assert distance >= MIN_DISTANCE
