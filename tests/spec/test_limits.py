"""Hostile input: it is refused before it costs anything, and never as another exception."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from efspec.errors import Diagnostic, EfspecError
from efspec.spec import load, loads
from tests.spec.test_loading import AS_JSON, TINY

CALLS = 25
"""Function calls per character that refusing may take, Python's own functions counted; what takes
most, a mapping of equal keys, takes 17. Work that grows faster than the text passes any number."""
FIXED_CALLS = 10_000
"""What it may take besides, of a text of any length."""


def bombs() -> dict[str, tuple[str, str]]:
    doubling = "".join(f"b{i}: &b{i} [*b{i - 1}, *b{i - 1}]\n" for i in range(1, 49))
    return {
        "large": ("#" * (1 << 20) + TINY, "yaml"),
        "many": ("[" + "1, " * 150_000 + "]", "yaml"),
        "many_json": ('{"a": [' + "1, " * 300_000 + '1], "a": 1}', "json"),
        "deep": ("[" * 500_000, "yaml"),
        "deep_json": ("[" * 500_000, "json"),
        "deep_mappings": ("{a: " * 200_000, "yaml"),
        "deep_keys": ("? " * 200_000, "yaml"),
        "aliases": ("b0: &b0 [x, x]\n" + doubling, "yaml"),
        "digits": ("efspec: " + "9" * 900_000, "yaml"),
        "digits_json": ('{"efspec": ' + "9" * 900_000 + "}", "json"),
        "hexadecimal": ("efspec: 0x" + "f" * 900_000, "yaml"),
        "keys": ("".join(f"k{i}: 1\n" for i in range(60_000)), "yaml"),
        "same_keys": ("k: 1\n" * 60_000, "yaml"),
        "mistakes": (TINY.replace("repeat: 2", "repeat: [" + "x, " * 50_000 + "]"), "yaml"),
        "long_line": ("efspec: '" + "x" * 1_000_000 + "'", "yaml"),
    }


@pytest.mark.parametrize("name", bombs())
def test_bomb(name: str) -> None:
    text, input_format = bombs()[name]
    with pytest.raises(EfspecError) as info, at_most(CALLS * len(text) + FIXED_CALLS):
        loads(text, input_format=input_format)
    assert len(str(info.value)) < 200_000


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Stops what calls more functions than it may."""
    left = calls

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= event in ("call", "c_call")
        assert left >= 0, f"more than {calls:,} calls"

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)


def test_what_is_too_much_for_the_corpus() -> None:
    for text, name in {
        "#" * (1 << 21): "file-too-large",
        "[" + "1," * 120_000: "too-many-values",
    }.items():
        with pytest.raises(EfspecError, match=name):
            loads(text)


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(EfspecError, match="unreadable-file"):
        load(tmp_path)
    link = tmp_path / "x.yaml"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(EfspecError, match=r"unreadable-file.*no such file"):
        load(link)


@pytest.mark.parametrize(("text", "input_format"), [(TINY, "yaml"), (AS_JSON, "json")])
def test_damaged_text(text: str, input_format: str) -> None:
    rng = random.Random(0)
    characters = "{}[]:,-&*!|>'\"%@`#?~\n\t \\0aé\u2028\ud800\x00"
    for _ in range(2000):
        damaged = list(text)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 3)] = rng.choice(characters)
        for wrong in mistakes("".join(damaged), input_format):
            assert wrong.line <= len(damaged)
            assert wrong.render()


def mistakes(text: str, input_format: str) -> tuple[Diagnostic, ...]:
    try:
        loads(text, input_format=input_format)
    except EfspecError as error:
        return error.diagnostics
    return ()
