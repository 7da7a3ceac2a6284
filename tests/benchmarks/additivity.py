"""Whether the sum of parts' latencies is the latency of networks that were never measured.

A table is measured for all parts of V2's search space, then random networks of the
space as wholes, then the table once more. Two things are compared: the sum of a network's rows,
of the first table, and the median of its own runs; and the two tables.

    python -m tests.benchmarks.additivity torch
    python -m tests.benchmarks.additivity onnxruntime --rounds 8 --specs 20   # a quick look

It takes about half an hour on one core for each runtime, and writes what it has seen into
`build/additivity`: samples as JSON, a line per network as CSV, and a plot.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import efspec
from efspec.diagram.drawing import drawn
from efspec.diagram.style import LIGHT
from efspec.latency.device import Device
from efspec.latency.measure import Effort, Visited, fastest, measure, network_figure, steps
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

PARTS = 4
"""Parts that are timed in turn; networks are all timed in turn."""


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
    """Networks timed as wholes as parts are, and what the watched network took meanwhile.

    They are timed in turn, all of them in each round, so that what disturbs falls on all alike.
    """
    random = Random(effort.seed)
    device = Device(table.table)

    def load(one: Plan, empty: Callable[[], None] | None = None) -> Visited:
        return Visited(running.load(*deployed_with_weights(one)), effort.visit_ns, empty)

    # Networks are called in a row, as anyone would; what is watched, as it was before.
    watching = load(probe_plan(watch, effort.copies[-1]), running.empty)
    loaded = dict(enumerate([watching, *(load(one) for one in plans)]))
    rounds: list[dict[int, float]] = []
    counts: list[bool] = []
    while sum(counts) < effort.rounds and len(rounds) < effort.rounds * effort.limit:
        say(f"networks: round {len(rounds) + 1}")
        rounds.append(fastest(loaded, random))
        counts = steady([one[0] for one in rounds], table.best)
    # Without a round in which the machine was as fast as before, all of them are what there is.
    kept = [one for one, good in zip(rounds, counts, strict=True) if good] or rounds
    found = []
    for number, plan in enumerate(plans, start=1):
        predicted = sum(piece.ns for piece in device(plan).pieces())
        samples = [one[number] for one in kept]
        macs = efspec.score(plan).macs
        found.append(Whole(plan.name, macs, predicted, samples, len(rounds) - len(kept)))
    return found, median(one[0] for one in kept)


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
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--limit", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="do not empty caches before calls")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/additivity"))
    given = parser.parse_args()
    effort = Effort(rounds=given.rounds, together=PARTS, limit=given.limit, seed=given.seed)
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
