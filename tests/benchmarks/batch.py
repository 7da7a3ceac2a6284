"""Many specs: `efspec score candidates.jsonl`, in specs a second on one core, and its memory.

The candidates are distinct: EfficientFormerV2-S0 with random depths, widths and expansion ratios.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from multiprocessing import Process
from pathlib import Path
from statistics import median

from efspec.spec.dump import dump
from efspec.spec.loader import load

FEW, MANY, ROUNDS = 50_000, 1_000_000, 5


def write_candidates(file: Path, count: int) -> None:
    """A file of distinct specs, one per line."""
    chance = random.Random(count)
    spec = json.loads(dump(load("v2_s0"), format="json"))
    lines: set[str] = set()
    with file.open("w") as stream:
        while len(lines) < count:
            for stage in spec["stages"]:
                stage["width"] = chance.randrange(16, 256, 8)
                for entry in stage["blocks"]:
                    entry["repeat"] = chance.randint(1, 4)
                    ratios = [chance.choice([2, 2.5, 3, 3.5, 4]) for _ in range(entry["repeat"])]
                    entry["expansion_ratio"] = ratios
            spec["stem"]["width"] = spec["stages"][0]["width"]
            spec["name"] = f"c{len(lines)}"
            line = json.dumps(spec)
            if line not in lines:
                lines.add(line)
                stream.write(f"{line}\n")


def written(file: Path, count: int) -> None:
    """Write candidates in another process: a child's peak memory starts with its parent's."""
    process = Process(target=write_candidates, args=(file, count))
    process.start()
    process.join()


def run(file: Path, output: Path) -> tuple[float, int]:
    """Processor seconds and peak memory in bytes of scoring a file."""
    command = [sys.executable, "-m", "efspec.cli.main", "score", str(file)]
    child = os.posix_spawn(
        sys.executable, [*command, "--format", "csv", "-o", str(output)], dict(os.environ)
    )
    _, status, usage = os.wait4(child, 0)
    assert status == 0, "the command failed"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Run, and print rates and memory."""
    with tempfile.TemporaryDirectory() as folder:
        few, many, output = (Path(folder) / name for name in ("few.jsonl", "many.jsonl", "out.csv"))
        written(few, FEW)
        empty = Path(folder) / "one.jsonl"
        empty.write_text(few.read_text().partition("\n")[0] + "\n")
        rates, memory = [], 0
        for _ in range(ROUNDS):
            start, _ = run(empty, output)
            seconds, memory = run(few, output)
            assert len(output.read_text().splitlines()) == FEW + 1, "not all were scored"
            rates.append((FEW - 1) / (seconds - start))
        print(f"{FEW:,} specs: median {median(rates):,.0f} specs/s of one core", end=", ")
        print(f"{memory / 2**20:.0f} MiB")
        written(many, MANY)
        seconds, more = run(many, output)
        print(f"{MANY:,} specs: {MANY / seconds:,.0f} specs/s of one core, {more / 2**20:.0f} MiB")
        print(f"memory, {MANY:,} / {FEW:,} specs: {more / memory:.2f}")


if __name__ == "__main__":
    main()
