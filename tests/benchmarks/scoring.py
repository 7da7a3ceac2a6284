"""YAML text to full score, in one process, against timm's model and torch's FLOP counter."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

import efspec
from efspec.plan.builder import _trace
from efspec.resources import shipped_specs
from efspec.spec.loader import loads

ROUNDS = 15
TEXT = shipped_specs()["v2_s1"].read_text()


def ours() -> tuple[int, int]:
    """Parameters and MACs by efspec; nothing is remembered from round to round."""
    _trace.cache_clear()
    score = efspec.score(efspec.resolve(loads(TEXT)))
    return score.params, score.macs


def theirs() -> tuple[int, int]:
    """Parameters and MACs by building the model and running it under the counter."""
    model = timm.create_model("efficientformerv2_s1").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        model(torch.zeros(1, 3, 224, 224))
    return sum(p.numel() for p in model.parameters()), flops.get_total_flops() // 2


def seconds(side: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


def main() -> None:
    """Run, and print medians and the ratio."""
    assert ours() == theirs(), "the two sides count differently"
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    print(f"efspec, YAML to score    median {1e3 * median(a for a, _ in pairs):7.1f} ms")
    print(f"timm and FlopCounterMode median {1e3 * median(b for _, b in pairs):7.1f} ms")
    print(f"timm / efspec            median {median(b / a for a, b in pairs):7.1f}")


if __name__ == "__main__":
    main()
