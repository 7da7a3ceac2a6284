"""Numbers, shapes and lists of them in the words of a diagram."""

from __future__ import annotations

from itertools import groupby

from efspec.diagram.figure import Band, Figure, Run
from efspec.plan import Shape

MAX_LISTED = 8
"""How many expansion ratios are listed one by one."""

_SPACE = "\N{NO-BREAK SPACE}"
_UNITS = ("", " k", " M", " G", " T", " P")


def amount(number: int) -> str:
    """A number in three digits and a unit: 6,185,560 as `6.19 M`."""
    value, unit = float(number), 0
    while float(f"{value:.3g}") >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if not unit:
        return str(number)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{_UNITS[unit]}"


def result(shape: Shape) -> str:
    """What a network or a stage gives, in a line."""
    if shape.layout == "other":
        return f"{' × '.join(f'{size:,}' for size in shape.sizes)} outputs"
    return f"{representation(shape)} {sizes(shape.sizes)}"


def sizes(numbers: tuple[int, ...]) -> str:
    """Sizes as `32 × 56 × 56`."""
    return " × ".join(map(str, numbers))


def representation(shape: Shape) -> str:
    """`4D` for a map, `3D` for tokens, nothing for a vector; the batch axis counts."""
    return {"map": "4D", "tokens": "3D"}.get(shape.layout, "")


def title(run: Run) -> str:
    """How many blocks of which class; a head has none."""
    if run.kind == "head":
        return ""
    return f"{run.count} × {run.type}" if run.count > 1 else run.type


def details(run: Run) -> list[str]:
    """What is said of a run, a line each."""
    lines = []
    if run.words:
        lines.append(f"{_SPACE}· ".join(words.replace(" ", _SPACE) for words in run.words))
    if run.expansions:
        lines.append(f"expansion {ratios(run.expansions)}")
    if run.attention:
        heads, queries, keys = run.attention.values()
        lines.append(f"{heads:,} {'head' if heads == 1 else 'heads'}, {queries:,} × {keys:,}")
    if run.kind == "conversion":
        before, after = (result(shape).replace(" ", _SPACE) for shape in (run.input, run.output))
        lines.append(f"{before}{_SPACE}→ {after}")
    elif run.kind != "head" and run.input.space and run.output.space:
        if run.input.space != run.output.space:
            lines.append(f"{sizes(run.input.space)} → {sizes(run.output.space)}")
        if run.input.channels != run.output.channels:
            lines.append(f"{run.input.channels:,} → {run.output.channels:,} channels")
    return lines


def ratios(values: tuple[float, ...]) -> str:
    """Expansion ratios: each, or each with how often it follows itself, or their range."""
    texts = [f"{value:.3g}" for value in values]
    if len(set(texts)) == 1:
        return texts[0]
    if len(texts) <= MAX_LISTED:
        return ", ".join(texts)
    groups = [(text, len(list(group))) for text, group in groupby(texts)]
    if len(groups) <= MAX_LISTED:
        return ", ".join(f"{text} (×{count})" if count > 1 else text for text, count in groups)
    return f"{min(values):.3g} to {max(values):.3g}"


def description(figure: Figure) -> str:
    """The network in sentences, for those who cannot see the diagram."""
    total = f"{figure.params:,} parameters, {figure.macs:,} MACs"
    sentences = [f"Input {sizes(figure.input)}; {total}."]
    sentences += [f"{band.name.capitalize()}: {_band(band)}." for band in figure.bands]
    return " ".join(sentences)


def _band(band: Band) -> str:
    runs = "; ".join(", ".join(filter(None, [title(run), *details(run)])) for run in band.runs)
    gives = " and ".join(map(result, band.outputs))
    costs = f"{band.params:,} parameters, {band.macs:,} MACs"
    return f"{runs}; gives {gives}; {costs}" if runs else f"gives {gives}"
