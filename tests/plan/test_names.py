"""What outputs are called."""

from __future__ import annotations

from typing import Any

import pytest

import efspec
from efspec.plan.names import output_names

STAGES: list[Any] = [
    {"width": 8, "blocks": [{"type": "ffn"}]},
    {"width": 8, "downsample": {"type": "conv"}, "blocks": [{"type": "mb3d"}]},
    {"width": 8, "blocks": [{"type": "mb4d"}]},
]


def names(head: dict[str, Any]) -> tuple[str, ...]:
    fields = {
        "efspec": 1,
        "name": "names",
        "input": {"size": 32},
        "stem": {"type": "conv_stem", "width": 8},
        "stages": STAGES,
        "head": head,
    }
    return output_names(efspec.resolve(efspec.load(fields)))


def test_a_classifier_gives_logits() -> None:
    assert names({"type": "linear", "classes": 3}) == ("logits",)
    assert names({"type": "distilled", "classes": 3}) == ("logits",)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_backbone_gives_maps_named_by_stage(norm: str) -> None:
    head = {"type": "features", "norm": norm}
    assert names({**head, "stages": [0, 1, 2]}) == ("stages_0", "stages_1", "stages_2")
    assert names({**head, "stages": [1]}) == ("stages_1",)
    assert names({**head, "stages": [0, 2]}) == ("stages_0", "stages_2")
