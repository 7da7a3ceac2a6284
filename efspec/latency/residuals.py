"""How a cost model compares with the networks that it was fitted to, and with others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from efspec.latency.model import CostModelSpec
from efspec.record import Record


class Residual(Record):
    """A network as it was printed and as a model has it.

    Attributes:
        network: Its name.
        use: Whether the model was fitted to it, or is only compared with it.
        ms: Milliseconds, as printed.
        fitted_ms: Milliseconds by the model.
        fitted_error: Relative error of that; 0.1 is a tenth too much.
        unseen_ms: What was said without its model.
        unseen_error: Relative error of that.
    """

    network: str
    use: Literal["fit", "check"]
    ms: float
    fitted_ms: float
    fitted_error: float
    unseen_ms: float
    unseen_error: float


def residuals(model: CostModelSpec) -> Iterator[Residual]:
    """Those of every network that a model's file names."""
    uses: tuple[Literal["fit", "check"], ...] = ("fit", "check")
    for use, rows in zip(uses, (model.residuals, model.checks), strict=True):
        for row in rows:
            yield Residual(
                network=row.network,
                use=use,
                ms=row.ms,
                fitted_ms=row.fitted_ms,
                fitted_error=row.fitted_ms / row.ms - 1,
                unseen_ms=row.unseen_ms,
                unseen_error=row.unseen_ms / row.ms - 1,
            )
