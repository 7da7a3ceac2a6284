"""The rows of a table as curves: latency against width, a curve for each resolution."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from fractions import Fraction

from efspec.cost.latency import milliseconds
from efspec.diagram.curves import Curve, Panel, Sample
from efspec.latency.hull import kind
from efspec.latency.table import DeviceTable, Figure
from efspec.plan.key import BlockKey

MAX_PANELS = 12
"""How many kinds of parts are drawn: those with the most rows."""


def panels(table: DeviceTable) -> list[Panel]:
    """A panel for each kind of part; those of heads that take several maps are left out."""
    groups: dict[Hashable, dict[BlockKey, Figure]] = {}
    for key, figure in table.figures.items():
        if len(key.input) <= 3:
            groups.setdefault(kind(key), {})[key] = figure
    most = sorted(groups.values(), key=len, reverse=True)[:MAX_PANELS]
    types = Counter(next(iter(group)).type for group in most)
    shared = {
        name: set.intersection(
            *[set(next(iter(g)).options) for g in most if next(iter(g)).type == name]
        )
        for name in types
    }
    return [_panel(group, shared) for group in most]


def _panel(group: dict[BlockKey, Figure], shared: dict[str, set[tuple[str, str]]]) -> Panel:
    first = next(iter(group))
    own = [
        f"{name} {word}" for name, word in first.options if (name, word) not in shared[first.type]
    ]
    by_output = "out_dim" in dict(first.sizes)
    series: dict[str, list[Sample]] = {}
    varying = _varying(list(group))
    for key, figure in group.items():
        x = dict(key.sizes)["out_dim"] if by_output else key.input[0]
        low, high = map(milliseconds, figure.range)
        sample = Sample(x, milliseconds(figure.p50_ns), low, high)
        series.setdefault(_label(key, varying), []).append(sample)
    return Panel(
        title=", ".join([first.type, *own]),
        x="channels of the result" if by_output else "channels",
        y="ms",
        curves=tuple(Curve(label, tuple(series[label])) for label in sorted(series, key=_numbers)),
    )


def _varying(keys: list[BlockKey]) -> set[str]:
    """Names of the sizes that are not the same in all keys of a kind."""
    found = {name for key in keys for name, size in key.sizes if dict(keys[0].sizes)[name] != size}
    return found - {"out_dim", "hidden_dim"}


def _numbers(label: str) -> list[float]:
    """What sorts labels: the numbers in them, larger maps first."""
    sides, *others = (float(number) for number in re.findall(r"\d+(?:\.\d+)?", label))
    return [-sides, *others]


def _label(key: BlockKey, varying: set[str]) -> str:
    """What the parts of one curve have in common."""
    sizes = dict(key.sizes)
    words = ["x".join(map(str, key.input[1:]))]
    if "hidden_dim" in sizes:
        words.append(f"ratio {float(Fraction(sizes['hidden_dim'], key.input[0])):.3g}")
    if "out_dim" in sizes:
        words.append(f"from {key.input[0]}")
    words += [f"{name} {sizes[name]}" for name in sorted(varying)]
    return ", ".join(words)
