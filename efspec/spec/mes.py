"""Reading the constants of the Mobile Efficiency Score, and of any other product of metrics."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from efspec.blocks.options import Expected, Part
from efspec.resources import folder
from efspec.spec.reading import read_part


class TermSpec(Part):
    """One metric's part in a score: `(metric / unit) ** exponent`."""

    unit: Annotated[float, Field(gt=0, allow_inf_nan=False), Expected("a number above 0")]
    """Value of the metric at which it neither raises nor lowers the score."""
    exponent: Annotated[
        float, Field(ge=-16, le=16, allow_inf_nan=False), Expected("a number from -16 to 16")
    ]
    """How much the metric counts; negative where less is better."""


class TermsSpec(Part):
    """The terms of a score, by metric; a metric that is left out does not count."""

    params: TermSpec | None = None
    params_folded: TermSpec | None = None
    macs: TermSpec | None = None
    activation_bytes_peak: TermSpec | None = None
    latency_ms: TermSpec | None = None


class MesSpec(Part):
    """A score: a base times the product of its metrics' terms."""

    score: Annotated[float, Field(gt=0, allow_inf_nan=False), Expected("a number above 0")]
    """Score of a network that has each metric at its unit."""
    terms: TermsSpec
    """The terms, by metric."""


def read_mes(file: Path | None = None) -> MesSpec:
    """The constants in a file; those of the paper, which are shipped, without one.

    Raises:
        EfspecError: With every mistake of the file.
    """
    return _shipped() if file is None else read_part(file, MesSpec)


@cache
def _shipped() -> MesSpec:
    return read_part(folder("specs") / "mes.yaml", MesSpec)
