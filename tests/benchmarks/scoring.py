"""YAML text to full score, in one process, against timm's model and torch's FLOP counter."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

import efspec
from efspec.plan.builder import forget
from efspec.resources import shipped_specs
from efspec.spec.loader import loads

ROUNDS = 15
TEXT = shipped_specs()["v2_s1"].read_text()


def ours() -> tuple[int, int]:
    """Parameters and MACs by efspec, which remembers the blocks that it has seen."""
    score = efspec.score(efspec.resolve(loads(TEXT)))
    return score.params, score.macs


def unseen() -> tuple[int, int]:
    """The same, of a network of which no block has been seen before."""
    forget()
    return ours()


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
    rounds = [(seconds(unseen), seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    first, again, other = (1e3 * median(column) for column in zip(*rounds, strict=True))
    print(f"timm and FlopCounterMode          median {other:7.1f} ms")
    print(f"efspec, blocks seen before        median {again:7.1f} ms")
    print(f"efspec, no block seen before      median {first:7.1f} ms")
    print(f"timm / efspec, blocks seen before median {median(c / b for _, b, c in rounds):7.1f}")
    print(f"timm / efspec, no block seen      median {median(c / a for a, _, c in rounds):7.1f}")


if __name__ == "__main__":
    main()
