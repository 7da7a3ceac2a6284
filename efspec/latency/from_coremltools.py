"""Profiles that `efspec latency import --script` writes on a Mac, with coremltools."""

from __future__ import annotations

from efspec.cost.latency import NS_PER_MS
from efspec.errors import fail
from efspec.latency.mac_script import FORMAT, KIND
from efspec.latency.profile import (
    Prediction,
    Profile,
    ProfiledOp,
    checked,
    nanoseconds,
    prediction_of,
    unit_of,
)
from efspec.latency.values import Given

PROTOCOL = ("device", "os", "runtime", "unit", "precision", "tool", "date")


def is_script_profile(root: Given) -> bool:
    """Whether the script wrote a document."""
    return root.get("profile").value == KIND


def script_profile(root: Given) -> Profile:
    """The profile in a document.

    Raises:
        EfspecError: When something in it is wrong, or another version wrote it.
    """
    version = root.get("efspec")
    if version.value != FORMAT:
        raise fail(
            "unsupported-format",
            f"{version.value!a} is no version of this format",
            field=version.field,
            expected=str(FORMAT),
            fix="write the profile anew, with the script of this efspec",
            **version.place(),
        )
    samples = [one.number() or 0.0 for one in root.get("samples_ns").items()]
    return Profile(
        file=root.source.name,
        format="profile by efspec's script",
        prediction=_prediction(samples, root),
        ops=checked(map(_op, root.get("ops").items()), root.source),
        load_ns=round(root.get("load_ns").number() or 0) or None,
        said={name: text for name in PROTOCOL if (text := root.get("protocol", name).text())},
        metadata={
            name: one.value
            for name, one in root.get("metadata").fields()
            if isinstance(one.value, str)  # what others wrote into a package is theirs
        },
    )


def _prediction(samples: list[float], root: Given) -> Prediction | None:
    if not samples:
        return None
    found = prediction_of(samples)
    for ns in (found.p50_ns, max(samples)):
        nanoseconds(ns / NS_PER_MS, root.get("samples_ns").place(), "samples_ns")
    return found


def _op(one: Given) -> ProfiledOp:
    weight = one.get("weight").number() or 0.0
    return ProfiledOp(one.get("name").text(), weight, unit_of(one.get("unit").text()))
