"""Running a process within bounds of time and of resident memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 30
"""When a process is taken for one that hangs: 5 seconds, and what starting torch takes on a busy
machine."""
BYTES = 1 << 30

_MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(
    *arguments: str | Path, stdin: bytes = b"", **options: object
) -> subprocess.CompletedProcess[bytes]:
    """What Python does with these arguments; the options are those of `subprocess.Popen`."""
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        # A process starts with the peak of the one that started it, on Linux, and the one that
        # runs tests can be large. A small one comes between.
        process = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-ISc", _MEASURE, peak, sys.executable, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip
        out, error = process.communicate(stdin, timeout=SECONDS)
        assert int(peak.read_text()) * 1024 < BYTES
    assert b"Traceback" not in error, error
    return subprocess.CompletedProcess(arguments, process.returncode, out, error)
