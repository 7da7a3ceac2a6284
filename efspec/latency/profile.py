"""What a profiler says of one network: how long it takes, and how its ops share that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from efspec.cost.latency import NS_PER_MS
from efspec.errors import EfspecError, fail
from efspec.importers.document import printable
from efspec.latency.sampling import quantile
from efspec.latency.table import MAX_NS
from efspec.record import Record
from efspec.spec.source_map import Place, Source

MAX_OPS = 100_000
"""How many ops a profile may list."""
MAX_UNIT = 40
"""How much is kept of a word for a compute unit that is not known."""

UNITS = {
    "all": "all",
    "cpu": "cpu",
    "cpu only": "cpu",
    "cpuonly": "cpu",
    "classic cpu": "cpu",
    "bnns": "cpu",
    "gpu": "gpu",
    "cpu and gpu": "gpu",
    "cpuandgpu": "gpu",
    "mps graph": "gpu",
    "ane": "ane",
    "ne": "ane",
    "neural engine": "ane",
    "neuralengine": "ane",
    "cpu and neural engine": "ane",
    "cpuandneuralengine": "ane",
}
"""The words for compute units of Core ML's tools, in small letters, and what tables call them."""


class ProfiledOp(Record):
    """One op of a profile.

    Attributes:
        name: What the profiler calls it.
        weight: Its time, cost or share, in a unit of the profiler's.
        unit: What it ran on: cpu, gpu, ane, or a word of the profiler's; empty if not said.
    """

    name: str
    weight: float
    unit: str


class Prediction(Record):
    """How long one prediction takes.

    Attributes:
        p50_ns: Median in nanoseconds, or an average where nothing else is known.
        p10_ns: What a tenth of the samples stay below.
        p90_ns: What a tenth of the samples exceed.
        n: How many samples.
    """

    p50_ns: int
    p10_ns: int | None = None
    p90_ns: int | None = None
    n: int | None = None


class Profile(Record):
    """What a file says of one network.

    Attributes:
        file: The file.
        format: What it is, in words.
        prediction: How long the network takes; None if it does not say.
        ops: Its ops; none if it knows the whole network only.
        load_ns: How long it takes to load; None if it does not say.
        compile_ns: How long it takes to compile.
        said: Fields of a protocol that it tells.
        metadata: What the network's package says of itself.
    """

    file: str
    format: str
    prediction: Prediction | None = None
    ops: tuple[ProfiledOp, ...] = ()
    load_ns: int | None = None
    compile_ns: int | None = None
    said: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}


def unit_of(word: str) -> str:
    """What tables call a compute unit; a word that is not known stays much as it is."""
    known = UNITS.get(" ".join(word.replace("_", " ").replace("-", " ").lower().split()))
    return known or printable(word, MAX_UNIT)


def prediction_of(samples_ns: Sequence[float]) -> Prediction:
    """The time that samples say; there is at least one."""
    p50, p10, p90 = (round(quantile(samples_ns, share)) for share in (0.5, 0.1, 0.9))
    return Prediction(p50, p10, p90, len(samples_ns))


def nanoseconds(milliseconds: float, place: Place, field: str = "") -> int:
    """A latency in nanoseconds.

    Args:
        milliseconds: The latency.
        place: Where it stands.
        field: What it is.

    Raises:
        EfspecError: When no latency can be so.
    """
    if not 0 < milliseconds <= MAX_NS / NS_PER_MS:
        raise fail(
            "bad-time",
            f"{milliseconds:g} milliseconds",
            field=field,
            expected=f"a time above 0, up to {MAX_NS // NS_PER_MS:,} ms",
            **place,
        )
    return round(milliseconds * NS_PER_MS)


def checked(ops: Iterable[ProfiledOp], source: Source) -> tuple[ProfiledOp, ...]:
    """The ops of a profile that share its time.

    Raises:
        EfspecError: When they are too many.
    """
    shared: list[ProfiledOp] = []
    for op in ops:
        if len(shared) >= MAX_OPS:
            raise too_many(source)
        if op.weight > 0:
            shared.append(op)
    return tuple(shared)


def too_many(source: Source) -> EfspecError:
    """An error about a profile that is too long."""
    message = f"more than {MAX_OPS:,} ops"
    return fail("too-many-values", message, file=source.name)
