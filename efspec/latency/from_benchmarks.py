"""Benchmarks that time a whole network: JSON of coreml-cli and of executorch's benchmark apps."""

from __future__ import annotations

from collections.abc import Iterator

from efspec.errors import fail
from efspec.latency.profile import Prediction, Profile, nanoseconds, unit_of
from efspec.latency.values import Given

LATENCY = "avg_inference_latency(ms)"
"""The metric of executorch's that is a latency."""
LOADING = "model_load_time(ms)"


def is_coreml_cli(root: Given) -> bool:
    """Whether `coreml benchmark --json` wrote a document."""
    return "p50LatencyMs" in _keys(root)


def coreml_cli_profile(root: Given) -> Profile:
    """What coreml-cli found; its 95th percentile is no 90th, and is left out.

    Raises:
        EfspecError: When something in it is wrong.
    """
    iterations = int(root.get("iterations").number() or 0)
    return Profile(
        file=root.source.name,
        format="coreml-cli's benchmark",
        prediction=Prediction(_ms(root.get("p50LatencyMs")), n=iterations or None),
        said={
            "runtime": "Core ML",
            "tool": "coreml-cli",
            "unit": unit_of(root.get("device").text()),
        },
    )


def is_executorch(root: Given) -> bool:
    """Whether a document is executorch's `benchmark_results.json`."""
    return any({"actualValue", "metric"} <= _keys(one) for one in _elements(root))


def executorch_profile(root: Given) -> Profile:
    """What executorch's app found: an average, of how many runs it does not say.

    Raises:
        EfspecError: When something in it is wrong, or it is of several networks.
    """
    times: dict[str, Given] = {}
    for one in _elements(root):
        metric = one.get("metric").text()
        if metric in times:
            raise fail(
                "several-profiles",
                f"{metric} is there twice, and one network is imported at a time",
                field=one.get("metric").field,
                fix="keep the results of one network",
                **one.place(),
            )
        times[metric] = one
    latency, loading = times.get(LATENCY), times.get(LOADING)
    first = latency or next(iter(times.values()))
    backend = first.get("benchmarkModel", "backend").text()
    said = {
        "runtime": f"ExecuTorch, {backend}" if backend else "ExecuTorch",
        "tool": "executorch's benchmark app",
        "device": first.get("deviceInfo", "arch").text(),
        "os": first.get("deviceInfo", "os").text(),
    }
    return Profile(
        file=root.source.name,
        format="executorch's benchmark",
        prediction=Prediction(_ms(latency.get("actualValue"))) if latency else None,
        load_ns=_ms(loading.get("actualValue")) if loading else None,
        said={name: text for name, text in said.items() if text},
    )


def _ms(one: Given) -> int:
    return nanoseconds(one.number() or 0.0, one.place(), one.field)


def _elements(root: Given) -> Iterator[Given]:
    return root.items() if isinstance(root.value, list) else iter(())


def _keys(one: Given) -> set[str]:
    return set(one.value) if isinstance(one.value, dict) else set()
