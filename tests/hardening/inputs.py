"""Ten thousand inputs of which nearly all are broken, the same ones in every run.

`inputs(chunk)` gives the inputs of one chunk; what a failing test names, `inputs(3)[217]` say,
can be made again on its own.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import math
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from tests.cli.conftest import TINY
from tests.hardening.nasty import TEXTS

CHUNKS = 20
PER_CHUNK = 520
"""A few more than are needed: some turn out the same."""
SENTINEL = "sentinel"
"""What code in a pickle would make, in the working directory."""

FIELDS: dict[str, Any] = {
    "efspec": 1,
    "name": "tiny",
    "input": {"size": 32},
    "defaults": {"act": "gelu", "drop_path": {"linear": 0.1}},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {"width": 8, "blocks": [{"type": "ffn", "repeat": 2, "expansion_ratio": [2, 3]}]},
        {
            "width": 16,
            "downsample": {"type": "attention", "num_heads": 2, "key_dim": 4},
            "blocks": [{"type": "attn_ffn", "num_heads": 2, "key_dim": 4, "stride": 2}],
        },
    ],
    "head": {"type": "linear", "classes": 10},
}
MES = (
    "score: 100\nterms:\n  params: {unit: 3.0e+6, exponent: -0.5}\n  macs: {unit: 1, exponent: 1}\n"
)
IMPORTED = json.dumps(
    {"width": [32, 48, 96, 176], "depth": [2, 2, 6, 4], "expansion_ratios": 4, "vit_num": 2}
)
SCALARS = [
    ".nan", ".inf", "-.inf", "NaN", "Infinity", "-1", "0", "1e400", "1e-400", "-0.0",
    "99999999999999999999", "65536", "65537", "1024", "1025", "4096", "4097", "8192", "8193",
    "1000001", "0x7fffffff", "0o777", "0.5", "null", "~", "true", "yes", "{}", "[]", "[[]]",
    "[1,2,3]", "{a:", "1}", "*x", "&x", "!!python/object/apply:os.system", "!!binary", "!!set", "-",
    "?", ":", "|", ">", "'", '"', "<<",
]  # fmt: skip
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


def _damaged(rng: random.Random, text: str) -> bytes:
    """A text after several changes, in its words, its lines, its characters and its bytes."""
    for _ in range(rng.randint(2, 6)):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        lines = text.split("\n")
        line = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                text = text[:at] + rng.choice(SCALARS) + text[at + rng.randrange(4) :]
            case 1:
                text = text[:at] + rng.choice(TEXTS[:-1]) + text[at:]
            case 2:
                text = text[:at] + text[min(end, at + 20) :]
            case 3:
                text = text[:end] + text[at:end] + text[end:]
            case 4:
                lines[line] = " " * rng.randrange(9) + lines[line].lstrip()
                text = "\n".join(lines)
            case 5:
                lines.insert(line, lines[rng.randrange(len(lines))])
                text = "\n".join(lines)
            case 6:
                words = text.split(" ")
                words[rng.randrange(len(words))] = rng.choice(SCALARS)
                text = " ".join(words)
            case 7:
                text = (
                    text[:at]
                    + chr(rng.choice([rng.randrange(256), rng.randrange(0x110000)]))
                    + text[at:]
                )
            case _:
                text = text[:end] if rng.random() < 0.3 else text
    data = text.encode("utf-8", "surrogatepass")
    match rng.randrange(24):
        case 0:
            return b"\xef\xbb\xbf" * rng.randrange(3) + data
        case 1:
            return text.encode("utf-16", "surrogatepass")
        case 2:
            return _flipped(rng, data)
    return data


def _flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _yaml(rng: random.Random) -> bytes:
    return _damaged(rng, TINY if rng.random() < 0.7 else json.dumps(FIELDS, indent=1))


def _json(rng: random.Random) -> bytes:
    return _damaged(rng, json.dumps(FIELDS, indent=rng.choice([None, 1])))


def _json_lines(rng: random.Random) -> bytes:
    return b"\n".join(_damaged(rng, json.dumps(FIELDS)) for _ in range(rng.randint(1, 3)))


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


@cache
def _checkpoint(form: str) -> bytes:
    import torch
    from safetensors.torch import save

    import efspec

    state = efspec.build(efspec.load(FIELDS)).state_dict()
    if form == "safetensors":
        return save(state)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _torch(rng: random.Random) -> bytes:
    data = _checkpoint("zip")
    match rng.randrange(5):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            return _flipped(rng, data[:700]) + data[700:]
        case 2:
            return rng.choice([_with_pickle, lambda pickled, rng: pickled])(_code(rng), rng)
        case 3:
            return _with_pickle(_flipped(rng, _pickle_of(_checkpoint("zip"))), rng)
        case _:
            return _other_objects(rng)


def _with_pickle(pickled: bytes, rng: random.Random) -> bytes:
    """A checkpoint whose description is another one, now and then squeezed."""
    buffer = io.BytesIO()
    squeezed = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
    with (
        zipfile.ZipFile(io.BytesIO(_checkpoint("zip"))) as old,
        zipfile.ZipFile(buffer, "w", squeezed) as new,
    ):
        for name in old.namelist():
            new.writestr(
                zipfile.ZipInfo(name),
                pickled if name.endswith("data.pkl") else old.read(name),
                squeezed,
            )
    return buffer.getvalue()


def _pickle_of(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))


class _Calls:
    """Pickles as a call."""

    def __init__(self, function: str, arguments: tuple[object, ...]) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        import importlib

        module, _, name = self.call[0].rpartition(".")
        return getattr(importlib.import_module(module), name), self.call[1]


def _code(rng: random.Random) -> bytes:
    """A pickle that makes a file when it is loaded without care, or asks for gigabytes."""
    mark = rng.random()
    make = f"open({SENTINEL!r}, 'w').write('{mark}')"
    call = rng.choice(
        [
            _Calls("os.system", (f"echo {mark} > {SENTINEL}",)),
            _Calls("builtins.eval", (make,)),
            _Calls("builtins.exec", (make,)),
            _Calls("subprocess.getoutput", (f"echo {mark} > {SENTINEL}",)),
            _Calls("os.mkdir", (SENTINEL,)),
            _Calls("builtins.bytearray", (2**31 + rng.randrange(2**31),)),
        ]
    )
    value = rng.choice(
        [call, {"model": call}, {"a": [call]}, {"state_dict": {"w": call}}, (mark, call)]
    )
    return pickle.dumps(value, rng.choice([0, 1, 2, 3, 4, 5]))


def _other_objects(rng: random.Random) -> bytes:
    import torch

    state: dict[Any, Any] = torch.load(io.BytesIO(_checkpoint("zip")), weights_only=True)
    key = rng.choice(sorted(state))
    old = state[key]
    others: list[Callable[[], Any]] = [
        lambda: None,
        lambda: [1, {"a": state}],
        lambda: "text",
        lambda: {"nested": old},
        lambda: old.to(torch.complex64),
        lambda: old.to("meta"),
        lambda: torch.zeros(1).expand(2**40),
        lambda: old.float().to_sparse(),
        lambda: torch.zeros(rng.randrange(1, 50), rng.randrange(50)),
        lambda: old.reshape(-1)[:-1],
    ]
    match rng.randrange(4):
        case 0:
            state[rng.choice([1, None, 2.5, (), rng.choice(TEXTS[:40])])] = old + rng.random()
        case 1:
            del state[key]
            state[f"{key}{rng.random()}"] = old
        case _:
            state[key] = rng.choice(others)()
            state["epoch"] = rng.random()
    whole = rng.choice([state, {"model": state}, [state], {"model": {"model": state}}])
    buffer = io.BytesIO()
    torch.save(whole, buffer)  # older formats hold addresses, which differ between runs
    return buffer.getvalue()


def _safetensors(rng: random.Random) -> bytes:
    data = _checkpoint("safetensors")
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    match rng.randrange(6):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            return (
                struct.pack("<Q", rng.choice([0, 1, 2**63, rng.randrange(2**40), length - 1]))
                + data[8 + rng.randrange(9) :]
            )
        case 2:
            header = _flipped(rng, header)
        case 3:
            header = _damaged(rng, header.decode())
        case 4:
            entries = json.loads(header)
            entry = entries[rng.choice([key for key in entries if key != "__metadata__"])]
            entry[rng.choice(["shape", "dtype", "data_offsets"])] = rng.choice(
                [
                    [2**40],
                    [-1],
                    [0, 0],
                    "F8",
                    "X",
                    None,
                    [2**63, 2**63],
                    {},
                    [rng.randrange(99)] * 2,
                ]
            )
            header = json.dumps(entries).encode()
        case _:
            rest = rest[: rng.randrange(len(rest))]
    return struct.pack("<Q", len(header)) + header + rest


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
    "mes": (lambda rng: _damaged(rng, MES), 1),
    "import": (lambda rng: _damaged(rng, IMPORTED), 2),
    "torch": (_torch, 4),
    "safetensors": (_safetensors, 3),
}
"""What makes inputs of a kind, and how many there are of it, in relation to the others."""
