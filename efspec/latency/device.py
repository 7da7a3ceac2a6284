"""A device as a latency source: what its table says of the parts of a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path

from efspec.cost import BlockLatency, Latency, Timing, count_module
from efspec.errors import Diagnostic, EfspecError, fail
from efspec.latency.hull import Point, between, bounds, grouped, kind, nearest, place
from efspec.latency.predict import beyond, predict, unseen
from efspec.latency.runtimes import runtime_of
from efspec.latency.table import DeviceTable, Figure
from efspec.plan import Part, Plan, parts
from efspec.plan.key import BlockKey, block_key
from efspec.resources import folder, shipped_specs

MAX_TOLD = 10
"""How many missing rows are told one by one."""
MAX_RATE = 10**6
"""Multiply-accumulates in a nanosecond that no device reaches at batch 1."""
MEASURED = frozenset({"measured", "differenced"})
"""Methods that rest on times of the block itself."""


class Device:
    """The latencies of a device; each part is looked up once, in however many networks it is.

    Args:
        table: The table.
        source: File that it came from, for diagnostics.
        strict: Whether to take nothing but measured rows.
    """

    def __init__(self, table: DeviceTable, source: str = "", *, strict: bool = False) -> None:
        self.table = table
        self._source = source
        self._strict = strict
        self._found: dict[BlockKey, Figure | None] = {}
        figures = table.figures
        if strict:
            figures = {key: figure for key, figure in figures.items() if figure.method in MEASURED}
        self._figures = figures
        self._groups = grouped(figures)
        self._samples: dict[Hashable, tuple[dict[Point, int], ...]] = {}

    def __call__(self, plan: Plan) -> Latency:
        """The latency of a network and of its parts.

        Raises:
            EfspecError: When the table says nothing of a part; one diagnostic for each kind.
        """
        found: list[BlockLatency] = []
        missing: dict[BlockKey, list[Part]] = {}
        for part in parts(plan):
            key = block_key(plan, part)
            figure = self.of_part(plan, part)
            if figure is None:
                missing.setdefault(key, []).append(part)
                continue
            self._check_rate(key, figure, part)
            low, high = figure.range
            found.append(BlockLatency(figure.p50_ns, low, high, figure.method, part.path))
        if missing:
            raise EfspecError(self._told(plan, missing))
        return Latency(tuple(found), self._fixed(), self.table.name)

    def of_part(self, plan: Plan, part: Part) -> Figure | None:
        """The latency of a part of a network, of rows or by the model; None where neither says."""
        key = block_key(plan, part)
        return self.figure(key) or self._fitted(plan, part, key)

    def figure(self, key: BlockKey) -> Figure | None:
        """The latency that rows say a part has; None where they do not."""
        if key not in self._found:
            self._found[key] = self._figures.get(key) or self._interpolated(key)
        return self._found[key]

    def remarks(self, plan: Plan) -> list[str]:
        """What keeps a network's figures from being believed as much as others."""
        if self.table.model is None or self._strict:
            return []
        found = beyond(self.table.model, plan)
        if not found:
            return []
        more = f", and {len(found) - 1} more" if found[1:] else ""
        told = f"{found[0]}{more}"
        return [f"beyond what the model of {self.table.name} was fitted to: {told}"]

    def _fixed(self) -> Timing | None:
        figure = self.table.network
        if figure is None:
            return None
        if self._strict and figure.method not in MEASURED:
            raise fail(
                "not-measured",
                f"what every network costs on {self.table.name} is {figure.method}, not measured",
                field="network",
                file=self._source,
                fix="leave out `--strict`, or measure the device",
            )
        return Timing(figure.p50_ns, *figure.range, figure.method)

    def _interpolated(self, key: BlockKey) -> Figure | None:
        if self._strict or kind(key) not in self._groups:
            return None
        medians, lows, highs = self._of_kind(kind(key))
        at = place(key)
        p50, limits = between(medians, at), bounds(lows, highs, at)
        if p50 is None or limits is None:
            return None
        low, high = limits
        return Figure(
            p50_ns=p50, p10_ns=min(low, p50), p90_ns=max(high, p50), method="interpolated"
        )

    def _of_kind(self, group: Hashable) -> tuple[dict[Point, int], ...]:
        """Medians, low and high ends of the rows of a kind, by their points."""
        if group not in self._samples:
            rows = [(point, self._figures[key]) for point, key in self._groups[group].items()]
            medians = {point: figure.p50_ns for point, figure in rows}
            lows, highs = ({p: f.range[i] for p, f in rows} for i in (0, 1))
            self._samples[group] = (medians, lows, highs)
        return self._samples[group]

    def _check_rate(self, key: BlockKey, figure: Figure, part: Part) -> None:
        macs = count_module(part.module).macs if part.module else 0
        if macs > MAX_RATE * max(figure.p50_ns, 1):
            raise fail(
                "impossible-latency",
                f"{figure.p50_ns:,} ns for {macs:,} multiply-accumulates",
                field=f"rows.{key}",
                file=self._source,
                expected="nanoseconds",
                fix="see whether the row is in another unit",
            )

    def _fitted(self, plan: Plan, part: Part, key: BlockKey) -> Figure | None:
        """What the table's model says of a part; None without one, or where it cannot tell."""
        if self.table.model is None or self._strict:
            return None
        found = predict(self.table.model, plan, part)
        if found is None:
            return None
        figure = Figure(p50_ns=found.ns, p10_ns=found.low_ns, p90_ns=found.high_ns, method="fitted")
        self._found[key] = figure
        return figure

    def _told(self, plan: Plan, missing: dict[BlockKey, list[Part]]) -> Iterable[Diagnostic]:
        told = list(missing.items())[:MAX_TOLD]
        for key, found in told:
            where = found[0].path + (f" and {len(found) - 1} more" if found[1:] else "")
            yield Diagnostic(
                "missing-latency",
                f"{self.table.name} has no{' measured' * self._strict} latency of {key}",
                field=where,
                expected=self._unseen(plan, found[0]) or self._nearest(key),
                fix=f"measure it: {self._command(plan)}",
                file=self._source,
            )
        if len(missing) > len(told):
            message = f"{len(missing) - len(told):,} more kinds of parts have no latency"
            yield Diagnostic("missing-latency", message, file=self._source)

    def _unseen(self, plan: Plan, part: Part) -> str:
        """Why the table's model says nothing of a part; empty without a model."""
        if self.table.model is None or self._strict:
            return ""
        kinds = ", ".join(unseen(self.table.model, plan, part))
        return f"a part without {kinds}, of which the fitted model has seen none"

    def _command(self, plan: Plan) -> str:
        """The command that measures what is missing: here, or by packages on the device."""
        spec = plan.name if plan.name in shipped_specs() else "SPEC"
        shipped = Path(self._source).parent == folder("specs") / "devices"
        device = self.table.name if shipped else self._source or "TABLE"
        runtime = runtime_of(self.table.protocol.runtime)
        if shipped or runtime is None:
            strict = " --strict" * self._strict
            return f"efspec latency probes {device} {spec} -o probes{strict}"
        return f"efspec latency measure {spec} -o {device} --runtime {runtime}"

    def _nearest(self, key: BlockKey) -> str:
        """What is measured and most like a part."""
        points = self._groups.get(kind(key), {})
        found = nearest(points, place(key))
        if found is not None:
            return f"the nearest row is {points[found]}"
        types = defaultdict(list)
        for other in self._figures:
            types[other.type].append(other)
        if types[key.type]:
            return f"rows of {key.type} have other options: {types[key.type][0]}"
        return f"there are rows of {', '.join(sorted(t for t in types if types[t])) or 'nothing'}"
