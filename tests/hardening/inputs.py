"""Ten thousand inputs of which nearly all are broken, the same ones in every run.

`inputs(chunk)` gives the inputs of one chunk; what a failing test names, `inputs(3)[217]` say,
can be made again on its own.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from tests.cli.conftest import TINY
from tests.hardening.checkpoints import safetensors_file, torch_file
from tests.hardening.damage import FIELDS, SCALARS, damaged
from tests.hardening.nasty import TEXTS

CHUNKS = 20
PER_CHUNK = 520
"""A few more than are needed: some turn out the same."""

MES = (
    "score: 100\nterms:\n  params: {unit: 3.0e+6, exponent: -0.5}\n  macs: {unit: 1, exponent: 1}\n"
)
IMPORTED = json.dumps(
    {"width": [32, 48, 96, 176], "depth": [2, 2, 6, 4], "expansion_ratios": 4, "vit_num": 2}
)
VALUES: list[object] = [
    *(math.nan, math.inf, -math.inf, -1, 0, 10**30, 10**500, -0.0, 1e-320, 2**31, 2**63),
    *(65537, 1025, 4097, 8193, None, True, [], {}, [[]], [1, 2, 3], {"a": 1}, "", "inherit", "x"),
    *(b"bytes", Decimal(1), 1j, {1, 2}, (), object, range(3), {1: 2}, {None: 1}, [None] * 2000),
    *([8] * 1025, {f"k{i}": i for i in range(300)}, "\ud800", "a\x00b", "9" * 5000),
]
"""What stands where something else should, in Python; most of it can be in no file."""


class Input(NamedTuple):
    """An input.

    Attributes:
        kind: How it is given to efspec; see `test_broken_inputs`.
        content: Bytes of a file, or a value.
    """

    kind: str
    content: Any

    def digest(self) -> str:
        return hashlib.sha256(
            f"{self.kind} {self.content!r}".encode("utf-8", "replace")
        ).hexdigest()


def inputs(chunk: int) -> list[Input]:
    """The inputs of a chunk."""
    rng = random.Random(chunk)
    kinds = [kind for kind, (_, weight) in MAKERS.items() for _ in range(weight)]
    made = [Input(kind, MAKERS[kind][0](rng)) for kind in rng.choices(kinds, k=PER_CHUNK - 8)]
    bombs = [*BOMBS, *BOMBS][chunk % len(BOMBS) :][:8]
    return [*made, *(Input("yaml", bomb(rng)) for bomb in bombs)]


def _yaml(rng: random.Random) -> bytes:
    return damaged(rng, TINY if rng.random() < 0.7 else json.dumps(FIELDS, indent=1))


def _json(rng: random.Random) -> bytes:
    return damaged(rng, json.dumps(FIELDS, indent=rng.choice([None, 1])))


def _json_lines(rng: random.Random) -> bytes:
    return b"\n".join(damaged(rng, json.dumps(FIELDS)) for _ in range(rng.randint(1, 3)))


def _random_yaml(rng: random.Random) -> bytes:
    def value(depth: int) -> str:
        roll = rng.random()
        if depth and roll < 0.3:
            return "[" + ", ".join(value(depth - 1) for _ in range(rng.randrange(5))) + "]"
        if depth and roll < 0.6:
            keys = [
                *FIELDS,
                "type",
                "width",
                "blocks",
                "repeat",
                "x",
                "1",
                '"a b"',
                "extends",
                "set",
            ]
            pairs = (f"{rng.choice(keys)}: {value(depth - 1)}" for _ in range(rng.randrange(6)))
            return "{" + ", ".join(pairs) + "}"
        return rng.choice(
            [*SCALARS[:24], "ffn", "conv_stem", "v2_s0", "1", "8", repr(rng.random())]
        )

    return "".join(f"{key}: {value(4)}\n" for key in FIELDS if rng.random() < 0.9).encode()


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 3000))


def _fields(rng: random.Random) -> dict[str, Any]:
    """A spec as a dictionary, with wrong values in some places."""
    fields: Any = json.loads(json.dumps(FIELDS))
    for _ in range(rng.randint(1, 3)):
        here = fields
        while True:
            key = rng.choice(list(here) if isinstance(here, dict) else range(len(here)))
            if not (isinstance(here[key], dict | list) and here[key]) or rng.random() < 0.2:
                break
            here = here[key]
        match rng.randrange(5):
            case 0 if isinstance(here, dict):
                here[rng.choice([*TEXTS[:-1], "widht", "blocks", "type"])] = here.pop(key)
            case 1:
                here[key] = rng.choice(TEXTS)
            case 2 if rng.random() < 0.2:
                here[key] = here  # it holds itself
                return fields  # type: ignore[no-any-return]
            case _:
                here[key] = copy.deepcopy(rng.choice(VALUES))  # a later change may be within
    return fields  # type: ignore[no-any-return]


def _set(rng: random.Random) -> list[str]:
    parts = ["stages", "0", "width", "blocks", "²", "-1", "9" * 20, "", "head", "set", "٣", "x"]
    paths = [".".join(rng.choices(parts, k=rng.randrange(1, 5))) for _ in range(3)]
    return [
        path + rng.choice(["=", "", "=="]) + rng.choice([*SCALARS, *TEXTS[:-1]]) for path in paths
    ]


def _name(rng: random.Random) -> str:
    return (
        rng.choice(["", "a/", "v2_s0", "/dev/", "../", "~/"])
        + rng.choice(TEXTS)
        + str(rng.random())
    )


def _bomb_of_aliases(rng: random.Random) -> bytes:
    width, brackets = rng.randint(2, 9), rng.randint(1, 30)
    lines = ["b0: &b0 [x, x]"]
    for i in range(1, rng.randint(40, 99)):
        inner = ", ".join([f"*b{i - 1}"] * (width if brackets == 1 else 1))
        lines.append(f"b{i}: &b{i} " + "[" * brackets + inner + "]" * brackets)
    return "\n".join(lines).encode()


def _bomb_of_depth(rng: random.Random) -> bytes:
    return (
        rng.choice(["[", "{a: ", "- ", "? ", "{? [", "a:\n "]) * rng.randint(30, 200_000)
    ).encode()


def _bomb_of_changes(rng: random.Random) -> bytes:
    count = rng.randint(900, 5000)
    return (
        TINY
        + "".join(f"key{i}: {{a: 1}}\n" for i in range(count))
        + "set:\n"
        + "".join(f"  kez{i}.b: 1\n" for i in range(count))
    ).encode()


def _bomb_of_blocks(rng: random.Random) -> bytes:
    count = rng.randint(1000, 5000)
    blocks = ", ".join(f"{{type: ffn, expansion_ratio: 1.{i}}}" for i in range(count))
    return TINY.replace("[{type: ffn, repeat: 2, expansion_ratio: 2}]", f"[{blocks}]").encode()


def _bomb_of_size(rng: random.Random) -> bytes:
    return (
        rng.choice(["#", " ", "\n", "a", "\x00", "é"]) * rng.randint(900_000, 1_200_000)
    ).encode()


def _bomb_of_mistakes(rng: random.Random) -> bytes:
    return (TINY + "".join(f"k{i}{'x' * rng.randrange(99)}: {i}\n" for i in range(8000))).encode()


def _bomb_of_numbers(rng: random.Random) -> bytes:
    number = rng.choice(["9", "0x" + "f", "1.", "1e9", "-1"]) * rng.randint(200, 100_000)
    return TINY.replace("width: 8", f"width: {number}", 1).encode()


def _bomb_of_values(rng: random.Random) -> bytes:
    ratios = ", ".join(["2"] * rng.randint(1000, 60_000))
    return TINY.replace("expansion_ratio: 2", f"expansion_ratio: [{ratios}]", 1).encode()


BOMBS = (
    _bomb_of_aliases,
    _bomb_of_depth,
    _bomb_of_changes,
    _bomb_of_blocks,
    _bomb_of_size,
    _bomb_of_mistakes,
    _bomb_of_numbers,
    _bomb_of_values,
)
MAKERS: dict[str, tuple[Callable[[random.Random], Any], int]] = {
    "yaml": (_yaml, 6),
    "json": (_json, 6),
    "jsonl": (_json_lines, 2),
    "random": (_random_yaml, 2),
    "noise": (_noise, 1),
    "fields": (_fields, 6),
    "set": (_set, 3),
    "name": (_name, 1),
    "mes": (lambda rng: damaged(rng, MES), 1),
    "import": (lambda rng: damaged(rng, IMPORTED), 2),
    "torch": (torch_file, 4),
    "safetensors": (safetensors_file, 3),
}
"""What makes inputs of a kind, and how many there are of it, in relation to the others."""
