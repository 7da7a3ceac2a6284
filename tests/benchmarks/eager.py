"""Deployed modules against timm's models, in eager PyTorch on one core; activations counted."""

from __future__ import annotations

import time
import warnings
from statistics import median

import torch
from torch import Tensor, nn

import efspec
from efspec.pytorch.adapt import adapt
from efspec.pytorch.build import build_module, deployed_module
from tests.pytorch.test_golden import MODELS, TIMM_NAMES
from tests.pytorch.test_random import filled

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm

ROUNDS = 15
TOLERANCE = 1e-3
"""Of logits of order one, in single precision."""


def sides(model: str) -> tuple[nn.Module, nn.Module]:
    """The deployed module and timm's, with the same weights."""
    theirs = timm.create_model(TIMM_NAMES[model]).eval()
    tables = {k: v for k, v in theirs.state_dict().items() if k.endswith("attention_bias_idxs")}
    state = filled({k: v for k, v in theirs.state_dict().items() if k not in tables})
    theirs.load_state_dict(state | tables)
    plan = efspec.resolve(efspec.load(model))
    ours = build_module(plan).eval()
    ours.load_state_dict(adapt(plan, state).state)
    return deployed_module(plan, ours), theirs


def activations(module: nn.Module, x: Tensor) -> int:
    """How many activations a run applies: folding must not lose any."""
    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1

    applied = [m for m in module.modules() if type(m).__name__ in ("GELU", "ReLU")]  # or timm's
    hooks = [m.register_forward_hook(add) for m in applied]
    module(x)
    for hook in hooks:
        hook.remove()
    return count


def seconds(module: nn.Module, x: Tensor) -> float:
    """Wall time of one image."""
    start = time.perf_counter()
    module(x)
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    """Run, and print medians and ratios."""
    torch.set_num_threads(1)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for model in MODELS:
        ours, theirs = sides(model)
        assert float((ours(x) - theirs(x)).abs().max()) < TOLERANCE, "they compute different things"
        assert activations(ours, x) == activations(theirs, x) > 0, "one side does less"
        rounds = [(seconds(ours, x), seconds(theirs, x)) for _ in range(ROUNDS)]
        mine, other = (1e3 * median(column) for column in zip(*rounds, strict=True))
        ratio = median(b / a for a, b in rounds)
        print(
            f"{model:6} deployed {mine:7.1f} ms, timm {other:7.1f} ms, timm / deployed {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
