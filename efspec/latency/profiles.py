"""Reading files of others that tell of latencies: what each is, from what is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from efspec.errors import EfspecError, fail
from efspec.latency.from_analytics import analytics_profile, is_analytics
from efspec.latency.from_benchmarks import (
    coreml_cli_profile,
    executorch_profile,
    is_coreml_cli,
    is_executorch,
)
from efspec.latency.from_coremltools import is_script_profile, script_profile
from efspec.latency.from_probes import is_times
from efspec.latency.from_typed import is_typed, typed_profile
from efspec.latency.from_xcode import is_report, report_profile
from efspec.latency.profile import Profile
from efspec.latency.sheet import Sheet, read_sheet
from efspec.latency.values import Given, document
from efspec.spec.files import decode, read_bytes
from efspec.spec.source_map import Source

MAX_BYTES = 64 << 20
"""Largest profile; analytics.mil of a large network has some megabytes."""
REPORT = "report.json"
"""What Xcode's .mlperf folders hold."""

DOCUMENTS: tuple[tuple[Callable[[Given], bool], Callable[[Given], Profile]], ...] = (
    (is_script_profile, script_profile),
    (is_report, report_profile),
    (is_coreml_cli, coreml_cli_profile),
    (is_executorch, executorch_profile),
)
"""The formats that are JSON: how each is told, and what reads it."""
KNOWN = (
    "JSON of `--script`'s, a .mlperf folder of Xcode's or its report.json, analytics.mil, JSON of"
    " coreml-cli or executorch, or a table with the columns `name` and `time`, or `file` and"
    " `median_ms`"
)


def read_source(path: Path) -> Source:
    """The text of a file, or of the report in a folder of Xcode's.

    Raises:
        EfspecError: When it cannot be read, or is too large.
    """
    if path.is_dir() and (path / REPORT).exists():
        path = path / REPORT
    return decode(read_bytes(path, MAX_BYTES), str(path), limit=MAX_BYTES)


def read_profile(source: Source) -> Profile | Sheet:
    """The profile in a text, or the table with times of packages in it.

    Raises:
        EfspecError: When it is none, or something in it is wrong.
    """
    if source.text.lstrip()[:1] in ("{", "["):
        root = document(source)
        for told, read in DOCUMENTS:
            if told(root):
                return read(root)
        raise _no_profile(source)
    if is_analytics(source):
        return analytics_profile(source)
    if source.text.lstrip().startswith("program("):  # MIL, without what its compiler estimates
        raise _no_profile(source)
    sheet = read_sheet(source)
    if is_times(sheet):
        return sheet
    if is_typed(sheet):
        return typed_profile(sheet)
    raise _no_profile(source)


def together(profiles: Sequence[Profile]) -> Profile:
    """Several profiles of one network as one: they complete each other.

    Raises:
        EfspecError: When two tell of the ops, or two of the whole.
    """
    whole, *others = profiles
    for other in others:
        for what, field in (("its ops", "ops"), ("the whole network's time", "prediction")):
            if getattr(whole, field) and getattr(other, field):
                raise fail(
                    "several-profiles",
                    f"it tells of {what}, and {whole.file} does, too",
                    file=other.file,
                    expected="one profile of one network, in one file or in several that complete"
                    " each other",
                    fix="import them one after the other",
                )
        whole = Profile(
            file=whole.file,
            format=f"{whole.format} and {other.format}",
            prediction=whole.prediction or other.prediction,
            ops=whole.ops or other.ops,
            load_ns=whole.load_ns or other.load_ns,
            compile_ns=whole.compile_ns or other.compile_ns,
            said={**other.said, **whole.said},
            metadata={**other.metadata, **whole.metadata},
        )
    return whole


def _no_profile(source: Source) -> EfspecError:
    return fail(
        "not-a-profile", "nothing in it tells of latencies", file=source.name, expected=KNOWN
    )
