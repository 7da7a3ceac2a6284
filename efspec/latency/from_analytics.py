"""`analytics.mil` of Core ML's cache: the program with what its compiler expects of each op.

Apple does not document it. Each statement ends in attributes, among them the op's name, the
backend that was selected for it, and what it may take on each backend:

    tensor<fp16, [1, 8, 16, 16]> x = conv(...)[BackendSupport = ...,
        EstimatedRuntime = dict<string, fp64>({{"ane", 0.0021}, {"classic_cpu", 0.04}}),
        SelectedBackend = string("ane"), name = string("stem_conv1_conv")];

These times are estimates of the compiler's; only their shares are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from efspec.errors import fail
from efspec.latency.profile import Profile, ProfiledOp, checked, unit_of
from efspec.spec.source_map import Source

_TEXT = r'"((?:[^"\\]|\\.)*)"'
_SELECTED = re.compile(rf"SelectedBackend = string\({_TEXT}\)")
_RUNTIMES = re.compile(r"EstimatedRuntime = dict<string, fp64>\(\{([^()]*)\}\)")
_RUNTIME = re.compile(r'\{"(\w+)", ([\d.eE+-]+)\}')
_NAME = re.compile(rf"\bname = (?:string|tensor<string, \[\]>)\({_TEXT}\)")
_MADE = re.compile(r"(\w+) = [\w:]+\(")


def is_analytics(source: Source) -> bool:
    """Whether a text is such a program."""
    return _SELECTED.search(source.text) is not None


def analytics_profile(source: Source) -> Profile:
    """The profile in a program; it does not say how long a prediction takes.

    Raises:
        EfspecError: When an estimate is no number, or there are too many ops.
    """
    return Profile(
        file=source.name,
        format="analytics.mil of Core ML's cache",
        ops=checked(_ops(source), source),
        said={"runtime": "Core ML"},
    )


def _ops(source: Source) -> Iterator[ProfiledOp]:
    # A statement stands in one line. A message in it may hold a semicolon, so none ends it here.
    for number, line in enumerate(source.lines):
        selected = _SELECTED.search(line)
        if selected is None:
            continue
        runtimes = _RUNTIMES.search(line)
        times = dict(_RUNTIME.findall(runtimes[1])) if runtimes else {}
        backend = selected[1]
        name = _NAME.search(line) or _MADE.search(line)
        yield ProfiledOp(
            name=name[1] if name else "",
            weight=_number(times.get(backend, "0"), source, number, line),
            unit=unit_of(backend),
        )


def _number(text: str, source: Source, number: int, line: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise fail(
            "bad-time",
            f"{text!a} is no time",
            field="EstimatedRuntime",
            expected="a number from 0",
            **source.place(number, line.find(text)),
        )
    return value
