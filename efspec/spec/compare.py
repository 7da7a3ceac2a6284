"""What differs between two specs, in the words of specs: parts that came or went, and options.

Specs are compared as they resolve: what is inherited counts as if it were written, repeats are
blocks of their own, and names and descriptions do not count. Paths are those of modules, as
`efspec score --by block` has them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from efspec.record import Record
from efspec.spec.dump import dump
from efspec.spec.schema import NetworkSpec

MAX_CELLS = 250_000
"""Largest table of an alignment; longer sequences are paired in order where they differ."""

GAP = 1.0
"""What a part costs that is in one of the specs only."""
OTHER_TYPE = 1.5
"""What it costs to pair blocks of different types: less than to remove one and add the other."""

Data = dict[str, Any]
Pair = tuple[int | None, int | None]
"""What of the first belongs to what of the second; None where there is nothing."""


class Option(Record):
    """A field that differs.

    Attributes:
        name: Name of the field.
        a: Its value in the first spec; null where there is none.
        b: Its value in the second spec; null where there is none.
    """

    name: str
    a: object
    b: object


class Change(Record):
    """A part that is in one of the specs only, or differs.

    Attributes:
        change: Whether it was added, removed or changed.
        a: Its path in the first spec, or null.
        b: Its path in the second spec, or null.
        type_a: Its type in the first spec, or null; stages and the input have none.
        type_b: Its type in the second spec, or null.
        options: The fields that differ; all of them, where the part is in one of the specs only.
    """

    change: Literal["added", "removed", "changed"]
    a: str | None
    b: str | None
    type_a: str | None
    type_b: str | None
    options: tuple[Option, ...]


class Structure(Record):
    """How two specs differ, and which of their stages belong together."""

    changes: tuple[Change, ...]
    stages: tuple[Pair, ...]


def compare(a: NetworkSpec, b: NetworkSpec) -> Structure:
    """What differs between two specs, from the input to the head."""
    first, second = _data(a), _data(b)
    stages = _aligned(first["stages"], second["stages"], _stage_distance)
    changes = [
        *_part("input", "input", first["input"], second["input"]),
        *_part("stem", "stem", first["stem"], second["stem"]),
    ]
    for i, j in stages:
        changes += _stage(
            f"stages.{i}",
            f"stages.{j}",
            None if i is None else first["stages"][i],
            None if j is None else second["stages"][j],
        )
    changes += _part("head", "head", first["head"], second["head"])
    return Structure(tuple(changes), tuple(stages))


def _data(spec: NetworkSpec) -> Data:
    """A spec with everything spelled out, each repeat of a block included."""
    data: Data = json.loads(dump(spec, format="json", resolved=True))
    data["input"]["size"] = list(spec.input.height_width)
    for stage in data["stages"]:
        stage["blocks"] = [block for entry in stage["blocks"] for block in _repeats(entry)]
    return data


def _repeats(entry: Data) -> Iterator[Data]:
    """The blocks of an entry; of a list with one value per repeat, each has its own."""
    repeat = entry.pop("repeat")
    for i in range(repeat):
        yield {
            name: value[i] if isinstance(value, list) and len(value) == repeat else value
            for name, value in entry.items()
        }


def _stage(path_a: str, path_b: str, a: Data | None, b: Data | None) -> Iterator[Change]:
    own_a, own_b = ({"width": s["width"]} if s else None for s in (a, b))
    yield from _part(path_a, path_b, own_a, own_b)
    down_a, down_b = (s["downsample"] if s else None for s in (a, b))
    yield from _part(f"{path_a}.downsample", f"{path_b}.downsample", down_a, down_b)
    blocks_a, blocks_b = (s["blocks"] if s else [] for s in (a, b))
    for i, j in _aligned(blocks_a, blocks_b, _block_distance):
        yield from _part(
            f"{path_a}.blocks.{i}",
            f"{path_b}.blocks.{j}",
            None if i is None else blocks_a[i],
            None if j is None else blocks_b[j],
        )


def _part(path_a: str, path_b: str, a: Data | None, b: Data | None) -> Iterator[Change]:
    """The change of one part, if it is one."""
    if a == b:
        return
    known: Data = a or {}
    found: Data = b or {}
    type_a, type_b = known.get("type"), found.get("type")
    # Parts of different types have little in common: what only one of them has is not told.
    names = known.keys() & found.keys() if a and b else known.keys() | found.keys()
    options = tuple(
        Option(name, known.get(name), found.get(name))
        for name in dict.fromkeys((*known, *found))
        if name in names and name != "type" and known.get(name) != found.get(name)
    )
    change: Literal["added", "removed", "changed"] = "changed" if a and b else "removed"
    yield Change(
        change=change if a else "added",
        a=path_a if a else None,
        b=path_b if b else None,
        type_a=type_a,
        type_b=type_b,
        options=options,
    )


def _stage_distance(a: Data, b: Data) -> float:
    """How unlike two stages are, from 0 to about 1."""
    types_a, types_b = (Counter(block["type"] for block in stage["blocks"]) for stage in (a, b))
    alike = (types_a & types_b).total() / max(types_a.total(), types_b.total())
    down_a, down_b = ((stage["downsample"] or {}).get("type") for stage in (a, b))
    other_width, other_downsample = bool(a["width"] != b["width"]), bool(down_a != down_b)
    return 0.5 * (1 - alike) + 0.25 * other_width + 0.2 * other_downsample


def _block_distance(a: Data, b: Data) -> float:
    """How unlike two blocks are: by the share of their options that differ."""
    if a["type"] != b["type"]:
        return OTHER_TYPE
    return 0.9 * sum(bool(value != b.get(name)) for name, value in a.items()) / len(a)


def _aligned(
    a: Sequence[Data], b: Sequence[Data], distance: Callable[[Data, Data], float]
) -> list[Pair]:
    """Which belongs to which, in order, so that the least has changed."""
    texts_a, texts_b = ([json.dumps(data) for data in each] for each in (a, b))
    short = min(len(a), len(b))
    start = next((i for i in range(short) if texts_a[i] != texts_b[i]), short)
    end = 0  # how many at the end are the same
    while end < short - start and texts_a[-1 - end] == texts_b[-1 - end]:
        end += 1
    known: dict[tuple[str, str], float] = {}

    def between(i: int, j: int) -> float:
        key = texts_a[start + i], texts_b[start + j]
        if key not in known:
            known[key] = 0.0 if key[0] == key[1] else distance(a[start + i], b[start + j])
        return known[key]

    rows, columns = len(a) - start - end, len(b) - start - end
    few = rows * columns <= MAX_CELLS
    middle = _cheapest(rows, columns, between) if few else _in_order(rows, columns)
    return [
        *((i, i) for i in range(start)),
        *((i if i is None else start + i, j if j is None else start + j) for i, j in middle),
        *((len(a) - k, len(b) - k) for k in range(end, 0, -1)),
    ]


def _cheapest(rows: int, columns: int, between: Callable[[int, int], float]) -> list[Pair]:
    """The alignment of two sequences that costs least, by dynamic programming."""
    best = [[j * GAP for j in range(columns + 1)]]
    for i in range(rows):
        row = [(i + 1) * GAP]
        for j in range(columns):
            row.append(min(best[i][j] + between(i, j), best[i][j + 1] + GAP, row[j] + GAP))
        best.append(row)
    pairs: list[Pair] = []
    i, j = rows, columns
    while i or j:
        if i and j and best[i][j] == best[i - 1][j - 1] + between(i - 1, j - 1):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and best[i][j] == best[i - 1][j] + GAP:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _in_order(rows: int, columns: int) -> list[Pair]:
    both = min(rows, columns)
    return [
        *((i, i) for i in range(both)),
        *((i, None) for i in range(both, rows)),
        *((None, j) for j in range(both, columns)),
    ]
