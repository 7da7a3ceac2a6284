"""What no ONNX file can hold is told before it takes long."""

from __future__ import annotations

from typing import Any

import pytest

import efspec
from efspec.onnx.limits import MAX_BYTES, OPSETS, check_opset, check_size
from tests.hardening.test_limits import network


def test_opsets() -> None:
    for opset in OPSETS:
        check_opset(opset)
    for opset in (0, OPSETS[0] - 1, OPSETS[-1] + 1):
        with pytest.raises(efspec.EfspecError, match="bad-opset"):
            check_opset(opset)


@pytest.mark.parametrize(("repeat", "fits"), [(15, True), (16, False)])
def test_sizes(repeat: int, fits: bool) -> None:
    stage: dict[str, Any] = {"width": 2048, "blocks": [{"type": "ffn", "repeat": repeat}]}
    stem = {"type": "conv_stem", "width": 2048}
    plan = efspec.resolve(efspec.load(network(stages=[stage], stem=stem)))
    size = 4 * efspec.score(plan).params
    if fits:
        assert size < MAX_BYTES
        check_size(plan)
    else:
        with pytest.raises(efspec.EfspecError, match="weights-too-large"):
            check_size(plan)
