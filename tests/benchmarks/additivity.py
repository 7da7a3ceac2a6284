"""Whether the sum of parts' latencies is the latency of networks that were never measured.

A table is measured for all parts of V2's search space, then random networks of the
space as wholes, then the table once more. Two things are compared: the sum of a network's rows,
of the first table, and the median of its own runs; and the two tables.

    python -m tests.benchmarks.additivity torch
    python -m tests.benchmarks.additivity onnxruntime --rounds 8 --specs 20   # a quick look

It takes about ten minutes on one core for each runtime, and writes what it has seen into
`build/additivity`: samples as JSON, a line per network as CSV, and a plot.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import efspec
from efspec.diagram.drawing import drawn
from efspec.diagram.style import LIGHT
from efspec.latency.device import Device
from efspec.latency.measure import Effort, Visited, measure, network_figure, steps
from efspec.latency.probe import Harness, probe_plan, reference, wanted
from efspec.latency.runner import Runner, Setting
from efspec.latency.runtimes import RUNTIMES, runner
from efspec.latency.sampling import quantile, steady
from efspec.latency.table import DeviceTable
from efspec.latency.weights import deployed_with_weights
from efspec.plan import Plan
from efspec.spec.candidates import Candidate, member, part_specs, sample
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import read_space

ATTEMPTS = 4
"""How often networks have a turn until one counts in which the machine was as fast as before."""
TOGETHER = 5
"""Whole networks that are loaded and timed in turn."""


def covering(space: SpaceSpec) -> list[Plan]:
    """Networks that together have every part of a space."""
    return [efspec.resolve(one) for one in part_specs(space)]


def sampled(space: SpaceSpec, count: int, seed: int) -> list[Plan]:
    """Random networks of a space, no two alike."""
    random = Random(seed)
    found: dict[Candidate, Plan] = {}
    while len(found) < count:
        candidate = sample(space, random)
        if candidate not in found:
            spec = member(space, candidate, f"random_{len(found)}")
            found[candidate] = efspec.resolve(spec)
    return list(found.values())


class Whole(NamedTuple):
    """A network that was measured as a whole."""

    name: str
    macs: int
    predicted_ns: int
    samples: list[float]
    dropped: int

    @property
    def measured_ns(self) -> float:
        return median(self.samples)

    @property
    def error(self) -> float:
        return self.predicted_ns / self.measured_ns - 1


class Table(NamedTuple):
    """A table, and how it came about."""

    table: DeviceTable
    doubts: int
    best: float
    watched: float


def measured_table(cover: list[Plan], running: Runner, effort: Effort) -> Table:
    """The table of all parts; also what is in doubt goes in, and is counted."""
    probes = [one.probe for one in wanted(cover).values()]
    total, count, began = steps(probes, effort), 0, time.monotonic()

    def step(what: str) -> None:
        nonlocal count
        count += 1
        passed = time.monotonic() - began
        say(f"{what}, {count} of about {total} steps, {passed:.0f} s")

    watch = reference(cover[0])
    batches = list(measure(probes, watch, running, effort, step))
    watched = [times for batch in batches for times in batch.watched]
    seen = [one for batch in batches for one in batch.measured]
    table = DeviceTable(
        efspec=1,
        name="host",
        protocol=running.protocol,
        network=network_figure(watched),
        rows={one.key.text: one.figure for one in seen},
    )
    longest = [max(times.values()) for times in watched]
    doubts = sum(bool(one.doubts) for one in seen)
    return Table(table, doubts, quantile(longest, 0.25), median(longest))


def measured_wholes(
    plans: list[Plan], table: Table, watch: Harness, running: Runner, effort: Effort
) -> tuple[list[Whole], float]:
    """Networks timed as wholes as parts are, and what the watched network took meanwhile."""
    random = Random(effort.seed)
    device = Device(table.table)
    found: list[Whole] = []
    all_watched: list[float] = []

    def load(one: Plan, empty: Callable[[], None] | None = None) -> Visited:
        return Visited(running.load(*deployed_with_weights(one)), effort.visit_ns, empty)

    # Networks are called in a row, as anyone would; what is watched, as it was before.
    watching = load(probe_plan(watch, effort.copies[-1]), running.empty)
    starts = range(0, len(plans), TOGETHER)
    waiting = deque((plans[start : start + TOGETHER], 0) for start in starts)
    while waiting:
        gc.collect()
        batch, attempt = waiting.popleft()
        loaded = [load(one) for one in batch]
        samples: list[list[float]] = [[] for _ in batch]
        watched: list[float] = []
        for number in range(effort.rounds * effort.limit):
            say(f"{batch[0].name} to {batch[-1].name}: round {number + 1}")
            watched.append(watching.visit())
            for i in random.sample(range(len(batch)), len(batch)):
                samples[i].append(loaded[i].visit())
            if sum(steady(watched, table.best)) >= effort.rounds:
                break
        counts = steady(watched, table.best)
        if sum(counts) < effort.rounds and attempt < ATTEMPTS - 1:
            # The machine is slower now than it was; the networks have their turn again later.
            waiting.append((batch, attempt + 1))
            continue
        counts = counts if any(counts) else [True] * len(counts)
        all_watched += [ns for ns, good in zip(watched, counts, strict=True) if good]
        for one, times in zip(batch, samples, strict=True):
            kept = [ns for ns, good in zip(times, counts, strict=True) if good]
            latency = device(one)
            predicted = sum(piece.ns for piece in latency.pieces())
            macs = efspec.score(one).macs
            found.append(Whole(one.name, macs, predicted, kept, len(times) - len(kept)))
    return found, median(all_watched)


def tau(xs: list[float], ys: list[float]) -> float:
    """Kendall's rank correlation; there are no ties to speak of."""
    pairs = [(i, j) for i in range(len(xs)) for j in range(i)]
    signs = [(xs[i] - xs[j]) * (ys[i] - ys[j]) for i, j in pairs]
    return sum((s > 0) - (s < 0) for s in signs) / len(pairs)


def plot(wholes: list[Whole], title: str) -> bytes:
    """Predicted against measured, with the diagonal."""

    def figure() -> Any:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        made = Figure(figsize=(4.8, 4.8), facecolor=LIGHT.background)
        FigureCanvasAgg(made)
        axes = made.add_axes((0.14, 0.12, 0.82, 0.78))
        measured = [whole.measured_ns / 1e6 for whole in wholes]
        predicted = [whole.predicted_ns / 1e6 for whole in wholes]
        ends = [0.95 * min(measured + predicted), 1.05 * max(measured + predicted)]
        axes.plot(ends, ends, color=LIGHT.line, linewidth=1, label="equal")
        lower, upper = [0.95 * x for x in ends], [1.05 * x for x in ends]
        colours = LIGHT.kinds
        axes.fill_between(ends, lower, upper, color=LIGHT.line, alpha=0.2, label="within 5 %")
        axes.plot(measured, predicted, "o", markersize=4, color=colours["plain"].strong)
        axes.set_xlabel("measured, ms")
        axes.set_ylabel("sum of parts, ms")
        axes.set_title(title, fontsize=9)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        return made

    return drawn(figure, "svg")


def say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what:78.78}", end="", file=sys.stderr, flush=True)


def save(
    folder: Path, runtime: str, wholes: list[Whole], tables: list[Table], summary: dict[str, Any]
) -> None:
    """Write samples, figures and the plot."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "summary": summary,
        "tables": [one.table.model_dump(exclude_none=True) for one in tables],
        "networks": [one._asdict() for one in wholes],
    }
    (folder / f"{runtime}.json").write_text(json.dumps(whole) + "\n")
    with (folder / f"{runtime}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "macs", "sum_ns", "measured_ns", "p10_ns", "p90_ns", "n", "error"])
        for one in wholes:
            low, high = (round(quantile(one.samples, share)) for share in (0.1, 0.9))
            figures = [one.macs, one.predicted_ns, round(one.measured_ns), low, high]
            writer.writerow([one.name, *figures, len(one.samples), f"{one.error:.4f}"])
    title = f"{runtime}: {len(wholes)} networks, median error {summary['median_error']:.1%}"
    (folder / f"{runtime}.svg").write_bytes(plot(wholes, title))


def main() -> None:
    """Run, and print errors, rank correlations and repeatability."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("--specs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--limit", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="do not empty caches before calls")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/additivity"))
    given = parser.parse_args()
    effort = Effort(rounds=given.rounds, limit=given.limit, seed=given.seed)
    space = read_space("v2")
    cover = covering(space)
    plans = sampled(space, given.specs, given.seed)
    began = time.monotonic()
    with runner(given.runtime, Setting(threads=given.threads)) as running:
        running = running.replaced(empty=None) if given.warm else running
        first = measured_table(cover, running, effort)
        wholes, watched = measured_wholes(plans, first, reference(cover[0]), running, effort)
        again = measured_table(cover, running, effort.replaced(seed=given.seed + 1))
    rows = [
        (first.table.rows[key].p50_ns, again.table.rows[key].p50_ns) for key in first.table.rows
    ]
    apart = sorted(abs(b / a - 1) for a, b in rows if a)
    errors = sorted(abs(whole.error) for whole in wholes)
    measured = [whole.measured_ns for whole in wholes]
    summary = {
        "protocol": running.protocol.model_dump(),
        "size": space.input.size,
        "rows": len(rows),
        "rows_in_doubt": [first.doubts, again.doubts],
        "median_error": median(errors),
        "p95_error": quantile(errors, 0.95),
        "worst_error": errors[-1],
        "median_signed_error": median(whole.error for whole in wholes),
        "tau": tau([whole.predicted_ns for whole in wholes], measured),
        "tau_of_macs": tau([whole.macs for whole in wholes], measured),
        "machine_at_networks": watched / first.watched,
        "machine_at_second_table": again.watched / first.watched,
        "repeated_median": median(apart),
        "repeated_p90": quantile(apart, 0.9),
        "repeated_sum": sum(b for _, b in rows) / sum(a for a, _ in rows) - 1,
        "seconds": time.monotonic() - began,
    }
    save(given.output, given.runtime, wholes, [first, again], summary)
    say("")
    for name, value in summary.items():
        print(f"{name:24} {value:.4f}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    main()
