"""The command as a process: pipes that close, terminals, and interruptions."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "efspec"]


def start(*arguments: str, cwd: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*COMMAND, *arguments], cwd=cwd, text=True, stderr=subprocess.PIPE, **options
    )


@pytest.mark.parametrize(
    "arguments",
    [["show", "v2_l", "--format", "json"], ["generate", "v2_s0"], ["score", "v2_s0"], ["--help"]],
    ids=" ".join,
)
def test_a_closed_pipe_is_silent(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*arguments, cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=60)[1] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("score", "v2_s0", cwd=tmp_path, stdout=full)
        message = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert message.startswith("error[cannot-access]: ")


def test_ctrl_c_exits_130_without_a_word(tmp_path: Path) -> None:
    process = start("score", "-", cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    waiting = Path(f"/proc/{process.pid}/wchan")
    for _ in range(200):  # until it reads what nobody writes
        time.sleep(0.05)
        if not waiting.exists() or "pipe" in waiting.read_text():
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "", "")


def on_terminal(*arguments: str, cwd: Path, columns: int = 80) -> str:
    """What a command shows on a terminal, without colours; both streams are one there."""
    ours, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, env=environment, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            if not data:
                break
            shown += data
    os.close(ours)
    assert process.returncode == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables_on_a_terminal_cut_nothing(tmp_path: Path, columns: int) -> None:
    shown = on_terminal("show", "v2_s0", "--format", "table", cwd=tmp_path, columns=columns)
    assert "─" in shown
    assert "…" not in shown
    assert "stages.3.downsample   AttentionDownsample   96x14x14" in shown


def test_tables_in_a_pipe_are_plain(tmp_path: Path) -> None:
    process = start("score", "v2_s0", cwd=tmp_path, stdout=subprocess.PIPE)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    assert out.isascii()
    assert "\x1b" not in out


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    shown = on_terminal("build", "v2_s0", "-t", "code", cwd=tmp_path)
    assert "writing files" in shown
    assert "build/v2_s0/v2_s0.py" in shown
    process = start("build", "v2_s0", "-t", "code", cwd=tmp_path, stdout=subprocess.PIPE)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    assert out.startswith("built v2_s0\n")
