"""Small spaces with evaluators that are known in full."""

from __future__ import annotations

import math
from pathlib import Path

import efspec
from efspec.api import load_mes
from efspec.latency import Device
from efspec.plan.key import BlockKey
from efspec.search import CompiledSpace, compiled
from efspec.search.evaluation import Evaluations
from efspec.spec.candidates import Candidate, part_specs
from efspec.spec.spaces import read_space
from tests.latency.tables import figure, table_of
from tests.spec.test_spaces import SMALL


def nanoseconds(key: BlockKey) -> int:
    """What a part takes: more the larger it is."""
    sizes = [size for _, size in key.sizes]
    return 2000 + 7 * math.prod(key.input) * sum(sizes) // (1 + len(sizes)) // 100


def world(folder: Path, text: str = SMALL) -> CompiledSpace:
    """A compiled space, with latencies and MES."""
    (folder / "small.yaml").write_text(text)
    space = read_space(folder / "small.yaml")
    table = table_of(*(efspec.resolve(s) for s in part_specs(space)), ns=nanoseconds)
    fixed = table.model_copy(update={"network": figure(50_000)})
    return compiled(space, Device(fixed), load_mes())


def accuracy(candidate: Candidate) -> float:
    """An accuracy that grows with everything, by less and less; no two candidates have the same."""
    score = 0.0
    for number, stage in enumerate(candidate.stages):
        score += (1 + number) * math.log(stage.width) + math.sqrt(stage.depth)
        score += 0.4 * math.log1p(stage.attention_depth)
        ratios = enumerate(stage.expansion_ratio, start=1)
        score += sum(math.sqrt(ratio) / (3 + block) for block, ratio in ratios)
    return 1 - math.exp(-score / 12)


def evaluations(space: CompiledSpace, budget: int | None = None) -> Evaluations:
    return Evaluations(space, accuracy, budget=budget)
