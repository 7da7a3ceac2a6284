"""The largest specs that are accepted cost no more than broken ones may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hardening import process

USE = """
import json, sys
import efspec
fields = json.load(open(sys.argv[1]))
spec = efspec.load(fields)
plan = efspec.resolve(spec)
score = efspec.score(plan)
source = efspec.generate(plan)
compile(source, "source", "exec")
print(score.params, len(source))
"""


def network(**changes: Any) -> dict[str, Any]:
    stage = {"width": 8, "blocks": [{"type": "ffn", "repeat": 2}]}
    return {
        "efspec": 1,
        "name": "large",
        "input": {"size": 224},
        "stem": {"type": "conv_stem", "width": 8},
        "stages": [stage],
        "head": {"type": "linear", "classes": 10},
    } | changes


LARGE = {
    "blocks": network(
        stem={"type": "conv_stem", "width": 64},
        stages=[
            {
                "width": 64,
                "blocks": [{"type": "ffn", "expansion_ratio": 1 + i / 64} for i in range(512)],
            }
        ]
        * 8,
    ),
    "repeats": network(
        stages=[{"width": 64, "blocks": [{"type": "attn_ffn", "repeat": 1024}]}] * 4,
        stem={"type": "conv_stem", "width": 64},
    ),
    "stages": network(stages=[{"width": 8, "blocks": [{"type": "mb4d", "repeat": 64}]}] * 64),
    "width": network(stem={"type": "conv_stem", "width": 8192}, stages=[
        {"width": 8192, "blocks": [{"type": "ffn", "expansion_ratio": 8}]}]),
    "resolution": network(input={"size": 8192}),
    "classes": network(head={"type": "distilled", "classes": 1_000_000}),
    "drop": network(
        defaults={"drop_path": {"linear": 0.5}},
        stages=[{"width": 8, "blocks": [{"type": "ffn", "repeat": 1024}]}] * 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_specs(name: str, tmp_path: Path) -> None:
    (tmp_path / "fields.json").write_text(json.dumps(LARGE[name]))
    result = process.run("-c", USE, tmp_path / "fields.json")
    assert result.returncode == 0, result.stderr
    params, length = map(int, result.stdout.split())
    assert params <= 2_000_000_000
    assert length
