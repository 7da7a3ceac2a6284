"""Points: latencies of whole networks as others printed or measured them, with their sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from efspec.blocks.options import Expected, Items, Part
from efspec.errors import Diagnostic, EfspecError, suggestion
from efspec.latency.table import Protocol
from efspec.plan import Plan
from efspec.record import Node
from efspec.spec import load, resolve
from efspec.spec.reading import read_part
from efspec.spec.schema import SEVERAL, FormatNumber
from efspec.spec.source_map import Mistake

MIN_MS = 1e-3
"""The shortest latency of a network: a microsecond."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@/ \-]{0,99}$"),
    Expected("letters, digits, `_`, `.`, `/`, `@`, `-` and spaces; at most 100"),
]
Text = Annotated[
    str, StringConstraints(max_length=2000), Expected("a text of up to 2,000 characters")
]
Milliseconds = Annotated[
    float,
    Field(ge=MIN_MS, le=1e6, allow_inf_nan=False),
    Expected("milliseconds, a number from 0.001 to 1,000,000"),
]
Step = Annotated[
    float,
    Field(gt=0, le=1e6, allow_inf_nan=False),
    Expected("milliseconds, a number above 0, up to 1,000,000"),
]


class PointSpec(Part):
    """One latency of one network."""

    spec: Text
    """The network: a shipped name, or a path relative to this file."""
    set: Items[Text] = ()
    """Changes to it, such as `input.size=512`."""
    name: Name
    """What reports call it; points of one name are of one network."""
    model: Name
    """The model that it is a variant of; all its variants are left out together."""
    ms: Milliseconds
    """Milliseconds, as printed."""
    step: Step
    """The print's last digit: with 0.1, the latency is within 0.05 of it."""
    source: Name
    """Where it is from, one of `sources`."""
    status: Annotated[
        Literal["verbatim", "figure", "measured"],
        Expected("verbatim (from a text), figure (read off one) or measured"),
    ]
    """How it was taken from there; what is only remembered is no point."""
    use: Annotated[Literal["fit", "check"], Expected("fit or check")] = "fit"
    """Whether the model is fitted to it, or only compared with it."""

    @model_validator(mode="after")
    def _rounded_to_something(self) -> Self:
        if self.step > 2 * self.ms:
            raise PydanticCustomError(
                "out-of-range",
                "rounded by {step}, it would be 0",
                {"step": f"{self.step:g}", "expected": "a `step` of at most twice `ms`"},
            )
        return self


class PointsSpec(Part):
    """Latencies of whole networks, all of one protocol."""

    efspec: FormatNumber
    """Version of the format of this file."""
    name: Name
    """Name of the device's table that they make."""
    description: Text = ""
    """What they are, for people."""
    protocol: Protocol
    """How they were taken."""
    sources: dict[str, Text]
    """What `source` stands for."""
    points: Annotated[
        Items[PointSpec], Field(min_length=1, max_length=1_000), Expected("a list of points")
    ]
    """The points."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        mistakes = [*self._without_source(), *self._with_other_networks()]
        if mistakes:
            raise PydanticCustomError(SEVERAL, "points are wrong", {"mistakes": mistakes})
        return self

    def _without_source(self) -> Iterator[Mistake]:
        for i, point in enumerate(self.points):
            if point.source not in self.sources:
                yield (
                    ("points", i, "source"),
                    Diagnostic(
                        "unknown-source",
                        f"{point.source!a} is none of the sources",
                        expected=", ".join(self.sources) or "an entry of `sources`",
                        fix=suggestion(point.source, self.sources),
                    ),
                )

    def _with_other_networks(self) -> Iterator[Mistake]:
        first: dict[str, PointSpec] = {}
        for i, point in enumerate(self.points):
            other = first.setdefault(point.name, point)
            if _network(point) != _network(other):
                message = f"{point.name!a} is another network above: {other.spec}"
                fix = "give it another name, or the same spec, changes, model and use"
                yield ("points", i, "name"), Diagnostic("clashing-points", message, fix=fix)


class Observed(Node):
    """A network and its latencies.

    Attributes:
        name: Its name.
        model: The model that it is a variant of.
        use: Whether models are fitted to it, or only compared with it.
        prints: Each latency in milliseconds and its print's last digit; equal prints once.
        plan: The network.
    """

    name: str
    model: str
    use: Literal["fit", "check"]
    prints: tuple[tuple[float, float], ...]
    plan: Plan

    @property
    def ms(self) -> float:
        """Mean of the prints in milliseconds.

        Equal prints count once: later papers copy the figures of earlier ones.
        """
        return sum(ms for ms, _ in self.prints) / len(self.prints)

    @property
    def side(self) -> int:
        """The longer side of its image in pixels."""
        return max(self.plan.input[1:])


def read_points(file: Path) -> PointsSpec:
    """The points of a file.

    Raises:
        EfspecError: With every mistake of the file.
    """
    return read_part(file, PointsSpec)


def observed(points: PointsSpec, folder: Path) -> list[Observed]:
    """The networks of points, in the order of their first points.

    Args:
        points: The points.
        folder: What paths in them are relative to.

    Raises:
        EfspecError: With the mistakes of every network that cannot be had.
    """
    networks: dict[str, list[PointSpec]] = {}
    for point in points.points:
        networks.setdefault(point.name, []).append(point)
    found: list[Observed] = []
    mistakes: list[Diagnostic] = []
    for name, (point, *more) in networks.items():
        prints = dict.fromkeys((p.ms, p.step) for p in (point, *more))
        try:
            plan = resolve(load(_place(point.spec, folder), set=point.set))
        except EfspecError as error:
            mistakes += error.diagnostics
        else:
            found.append(Observed(name, point.model, point.use, tuple(prints), plan))
    if mistakes:
        raise EfspecError(mistakes)
    return found


def _network(point: PointSpec) -> tuple[object, ...]:
    return point.spec, point.set, point.model, point.use


def _place(spec: str, folder: Path) -> str:
    """A path as seen from here; a shipped name as it is."""
    path = folder / spec
    return str(path) if path.suffix in (".yaml", ".yml", ".json") else spec
