"""Running commands in this process, in an empty folder."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from efspec.cli.main import main

TINY = """\
efspec: 1
name: tiny
input: {size: 32}
stem: {type: conv_stem, width: 8}
stages:
  - width: 8
    blocks: [{type: ffn, repeat: 2, expansion_ratio: 2}]
  - width: 16
    downsample: {type: conv}
    blocks: [{type: attn_ffn, expansion_ratio: 2, num_heads: 2, key_dim: 4, attn_ratio: 2}]
head: {type: linear, classes: 10}
"""


@dataclass(frozen=True)
class Result:
    """Exit code, standard output and standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command as from a shell in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_(*arguments: object, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["efspec", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        else:
            code = 0
        assert isinstance(code, int)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Result(code, printed.out, printed.err)

    return run_


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small network's file, in the folder where commands run."""
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return file
