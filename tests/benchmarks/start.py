"""Cold start: `efspec score specs/v2_s1.yaml`, piped, against two things that everyone knows.

One is `python -c "import pydantic, yaml"`, what any tool of this kind imports; the other is
importing timm.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROUNDS = 15
ROOT = Path(__file__).parents[2]
SIDES = {
    "efspec score": [sys.executable, "-m", "efspec.cli.main", "score", "specs/v2_s1.yaml"],
    "import pydantic, yaml": [sys.executable, "-c", "import pydantic, yaml"],
    "import timm": [sys.executable, "-c", "import timm"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Run, and print medians and ratios."""
    shown = subprocess.run(SIDES["efspec score"], cwd=ROOT, capture_output=True, check=True).stdout
    assert b"651,969,640" in shown, "the command does not score"
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    for round_ in range(-1, ROUNDS):
        for name, command in SIDES.items():
            elapsed = seconds(command)
            if round_ >= 0:  # the first warms the disk
                times[name].append(elapsed)
    for name, samples in times.items():
        print(f"{name:24} median {1e3 * median(samples):7.0f} ms")
    ours = times["efspec score"]
    for name in list(SIDES)[1:]:
        ratios = [a / b for a, b in zip(ours, times[name], strict=True)]
        print(f"efspec score / {name:24} median {median(ratios):.2f}")


if __name__ == "__main__":
    main()
