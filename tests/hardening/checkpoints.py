"""Checkpoints that are broken, hold something else, or run code when loaded without care."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.hardening.damage import FIELDS, damaged, flipped
from tests.hardening.nasty import TEXTS

SENTINEL = "sentinel"
"""What code in a pickle would make, in the working directory."""


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


def torch_file(rng: random.Random) -> bytes:
    data = _checkpoint("zip")
    match rng.randrange(5):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            return flipped(rng, data[:700]) + data[700:]
        case 2:
            return rng.choice([_with_pickle, lambda pickled, rng: pickled])(_code(rng), rng)
        case 3:
            return _with_pickle(flipped(rng, _pickle_of(_checkpoint("zip"))), rng)
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


def safetensors_file(rng: random.Random) -> bytes:
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
            header = flipped(rng, header)
        case 3:
            header = damaged(rng, header.decode())
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
