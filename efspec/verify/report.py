"""What verifying a package found, what it proves, and what it does not."""

from __future__ import annotations

from typing import Any

from efspec.record import Record
from efspec.verify.bisect import Departure
from efspec.verify.compare import Check

UNPROVED = (
    "what the Neural Engine, a GPU or Core ML itself computes: they round and sum in other ways",
    "that efspec reads every op as Core ML does: it follows its documentation",
)
"""What no check on this system can show of a Core ML package."""
UNPROVED_ONNX = ("what runtimes other than onnxruntime on this CPU compute",)


class Report(Record):
    """What was found.

    Attributes:
        file: The package.
        format: `mlpackage` or `onnx`.
        ops: How many ops it has, by kind, the most frequent first.
        against: What it was compared with.
        checks: What was looked at.
        departures: The first op that departs, or each that is not the twin's.
        remarks: What else there is to know.
        proves: What follows if all checks passed.
        unproved: What does not follow.
    """

    file: str
    format: str
    ops: tuple[tuple[str, int], ...]
    against: str
    checks: tuple[Check, ...]
    departures: tuple[Departure, ...] = ()
    remarks: tuple[str, ...] = ()
    proves: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether no check failed."""
        return all(check.state != "failed" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Values by name, for programs."""
        return {"agrees": self.agrees, **super().as_dict(), "ops": dict(self.ops)}
