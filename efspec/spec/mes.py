"""Reading the constants of the Mobile Efficiency Score, and of any other product of metrics."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from efspec.blocks.options import Expected, Part
from efspec.errors import Diagnostic, EfspecError
from efspec.resources import folder
from efspec.spec.explain import explain
from efspec.spec.files import decode, read_bytes
from efspec.spec.source_map import SourceMap, plain
from efspec.spec.yaml_reader import read_yaml


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
    return _shipped() if file is None else _read(file)


@cache
def _shipped() -> MesSpec:
    return _read(folder("specs") / "mes.yaml")


def _read(file: Path) -> MesSpec:
    mistakes: list[Diagnostic] = []
    root = read_yaml(decode(read_bytes(file), str(file)), mistakes)
    try:
        spec = MesSpec.model_validate(plain(root))
    except ValidationError as error:
        mistakes += explain(error, SourceMap(lambda: root), MesSpec)
    if mistakes:
        raise EfspecError(mistakes)
    return spec
