"""A profile of a whole network as latencies of its parts.

The time of a prediction is split by the shares that the profiler gives the ops, and each op's
share goes to the part that it is in. A profiler's shares are estimates: rows say `apportioned`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from efspec.coreml.emit import LABEL, PROBABILITIES
from efspec.coreml.names import Names
from efspec.deploy import deploy
from efspec.errors import EfspecError, fail
from efspec.importers.document import printable
from efspec.latency.profile import Prediction, ProfiledOp
from efspec.latency.sampling import quantile
from efspec.latency.table import Figure
from efspec.plan import Plan, ops_by_part, parts
from efspec.plan.key import BlockKey, block_key
from efspec.plan.names import INPUT, output_names
from efspec.record import Record

MAX_UNMAPPED = 0.03
"""The share of a prediction that may be in ops of which no part is known."""
MAX_WORDS = 8
"""How many words behind an op's name may be a compiler's."""
MAX_TOLD = 5
"""How many such ops are told one by one."""
UNSAID = "not said"
"""What stands for the compute unit of an op of which the profile does not tell it."""
BESIDE = ""
"""What stands for a part where an op is none of the plan's."""


class Apportioned(Record):
    """What a profile says of the parts of a network.

    Attributes:
        rows: Latency of each kind of part.
        times: Nanoseconds of each part, by its path.
        units: The share of each compute unit, the largest first; none if no op's is told.
        beside: The share of ops that are none of the plan's: what prepares an image, say.
        unmapped: Ops of which no part is known with their shares, the largest first.
        silent: Paths of parts of which the profile has no op.
    """

    rows: Mapping[BlockKey, Figure]
    times: Mapping[str, float]
    units: Mapping[str, float]
    beside: float
    unmapped: tuple[tuple[str, float], ...]
    silent: tuple[str, ...]


def apportion(
    plan: Plan,
    ops: Sequence[ProfiledOp],
    prediction: Prediction,
    table: Mapping[str, str] | None = None,
) -> Apportioned:
    """The latencies of a network's parts.

    Args:
        plan: The network, not yet deployed; the profile is of what it is deployed as.
        ops: How its ops share a prediction; at least one, all above 0.
        prediction: How long that takes.
        table: Id of the plan's op by name, as the profiled package has it; None to go by names.
    """
    part_of = _parts_by_name(deploy(plan).plan, table)
    whole = sum(op.weight for op in ops)
    weights: dict[str, float] = defaultdict(float)
    unmapped: dict[str, float] = defaultdict(float)
    units: dict[str, float] = defaultdict(float)
    for op in ops:
        path = part_of(op.name)
        units[op.unit or UNSAID] += op.weight / whole
        if path is None:
            unmapped[op.name] += op.weight / whole
        else:
            weights[path] += op.weight / whole
    beside = weights.pop(BESIDE, 0.0)
    of_key: dict[BlockKey, list[float]] = defaultdict(list)
    times: dict[str, float] = {}
    silent = []
    for part in parts(plan):
        if part.path not in weights:
            silent.append(part.path)
            continue
        times[part.path] = prediction.p50_ns * weights[part.path]
        of_key[block_key(plan, part)].append(times[part.path])
    return Apportioned(
        rows={key: _figure(found, prediction) for key, found in of_key.items()},
        times=times,
        units=_largest_first(units) if units.keys() != {UNSAID} else {},
        beside=beside,
        unmapped=tuple(_largest_first(unmapped).items()),
        silent=tuple(silent),
    )


def check_mapped(apportioned: Apportioned, file: str) -> None:
    """Refuse a profile of which too much is in no part.

    Raises:
        EfspecError: When it is.
    """
    share = sum(share for _, share in apportioned.unmapped)
    if share > MAX_UNMAPPED or not apportioned.rows:
        named = [
            f"{printable(name) or 'no name'} {part:.1%}" for name, part in apportioned.unmapped
        ]
        more = f" and {len(named) - MAX_TOLD:,} more" * (len(named) > MAX_TOLD)
        raise fail(
            "unmapped-ops",
            f"{share:.1%} of the prediction is in ops of which no part is known:"
            f" {', '.join(named[:MAX_TOLD])}{more}",
            file=file,
            expected="ops of a package that efspec wrote, by the names that it gave them",
            fix="give the package with `--package`; or `--allow-unmapped`, to leave them out",
        )


def check_network(plan: Plan, other: Plan, file: str) -> None:
    """Refuse a package of another network.

    Args:
        plan: The network that it is to be of.
        other: The network that it says it is of.
        file: The package.

    Raises:
        EfspecError: When one of their parts differs.
    """
    ours, theirs = _keys(plan), _keys(other)
    for path in dict.fromkeys([*ours, *theirs]):
        if ours.get(path) != theirs.get(path):
            raise _other_network(path, theirs.get(path), ours.get(path), file)


def _other_network(
    path: str, found: BlockKey | None, wanted: BlockKey | None, file: str
) -> EfspecError:
    return fail(
        "other-network",
        f"{found or 'nothing'} is there",
        field=path,
        file=file,
        expected=f"{wanted or 'nothing'}, as in the spec",
        fix="leave out `--spec`: the package says which network it is of",
    )


def _keys(plan: Plan) -> dict[str, BlockKey]:
    return {part.path: block_key(plan, part) for part in parts(plan)}


def _parts_by_name(plan: Plan, table: Mapping[str, str] | None) -> Callable[[str], str | None]:
    """What tells the part that an op is in by its name; None where it is not known."""
    path_of = {op.id: path for path, placed in ops_by_part(plan).items() for op in placed}
    ids = _names(plan) if table is None else table
    paths = {name: path_of.get(id_) if id_ else BESIDE for name, id_ in ids.items()}
    outputs = output_names(plan)

    def part_of(name: str) -> str | None:
        if name in paths:
            return paths[name]
        # A compiler that splits an op, or adds one to it, adds words to its name.
        for _ in range(MAX_WORDS):
            name = name.rpartition("_")[0]
            if name in paths and name not in outputs:
                return paths[name]
        return None

    return part_of


def _names(plan: Plan) -> dict[str, str]:
    """Id of each op by the name that a package gives it, up to words for its steps."""
    outputs = dict(zip(plan.outputs(), output_names(plan), strict=True))
    names = Names(INPUT, LABEL, PROBABILITIES, *outputs.values())
    for placed in plan.ops():
        names.of(placed.id)
        for number in placed.outputs:
            if number in outputs:
                names.output(outputs[number], placed.id)
    return names.ids


def _figure(times: Sequence[float], prediction: Prediction) -> Figure:
    """The mean of equal parts, so that they add up; their spread, and that of predictions."""
    mean = round(sum(times) / len(times))
    whole = prediction.p50_ns
    low = quantile(times, 0.1) * (prediction.p10_ns or whole) / whole
    high = quantile(times, 0.9) * (prediction.p90_ns or whole) / whole
    known = len(times) > 1 or prediction.p10_ns is not None or prediction.p90_ns is not None
    return Figure(
        p50_ns=mean,
        p10_ns=min(mean, round(low)) if known else None,
        p90_ns=max(mean, round(high)) if known else None,
        n=len(times) if len(times) > 1 else None,
        method="apportioned",
    )


def _largest_first(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))
