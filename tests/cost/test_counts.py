"""The published figures, and the counts that hold by definition."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.cost import count_module, peak_elements
from efspec.cost.report import kind_rows, op_rows
from efspec.plan import Plan, map_shape, ops_by_part, parts, trace
from efspec.plan.builder import MapToTokens
from tests.strategies import networks

PUBLISHED = {  # exact params, exact MACs, folded params in M as printed
    "v1_l1": (12_289_928, 1_291_284_736, 12.3),
    "v1_l3": (31_406_000, 3_906_573_312, 31.3),
    "v1_l7": (82_229_328, 10_119_325_696, 82.1),
    "v2_s0": (3_600_256, 395_892_544, 3.5),
    "v2_s1": (6_185_560, 651_969_640, 6.1),
    "v2_s2": (12_710_112, 1_246_863_952, 12.6),
    "v2_l": (26_322_288, 2_552_546_880, 26.1),
}
FOLDED = {"v1_l1": 12_251_064, "v2_s0": 3_548_960, "v2_s1": 6_111_296}
LATENCY_AND_MES = {  # V2's Table 2: iPhone 12, iOS 16, all compute units
    "v2_s0": (0.9, 102.9),
    "v2_s1": (1.1, 63.8),
    "v2_s2": (1.6, 30.5),
    "v2_l": (2.7, 12.6),
    "v1_l1": (1.4, 35.3),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name: str) -> None:
    params, macs, folded = PUBLISHED[name]
    score = efspec.score(efspec.load(name))
    assert score.params == params
    assert score.macs == macs
    assert round(score.params_folded / 1e6, 1) == folded
    assert score.params_folded == FOLDED.get(name, score.params_folded)


@pytest.mark.parametrize("name", LATENCY_AND_MES)
def test_mes_is_the_published_one_to_a_percent(name: str) -> None:
    latency, mes = LATENCY_AND_MES[name]
    score = efspec.score(efspec.load(name), latency=latency)
    assert score.mes == pytest.approx(mes, rel=0.01)  # the paper rounds the parameters
    assert score.coverage == {"given": 1.0}


def test_mes_is_100_at_its_units_and_falls_as_stated() -> None:
    mes = efspec.load_mes()
    assert mes({"params_folded": 3e6, "latency_ms": 1.0}) == 100
    assert mes({"params_folded": 3e6, "latency_ms": 2.0}) == 50
    assert mes({"params_folded": 6e6, "latency_ms": 1.0}) == pytest.approx(70.7, abs=0.02)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=128))
def test_parts_kinds_and_ops_add_up(fields: dict[str, object]) -> None:
    plan = efspec.resolve(efspec.load(fields))
    score = efspec.score(plan)
    assert count_module(plan.network) == (score.params, score.params_folded, score.macs)
    for rows in (score.stages, score.blocks, op_rows(plan), kind_rows(plan)):
        assert sum(row.params for row in rows) == score.params
        assert sum(row.params_folded for row in rows) == score.params_folded
        assert sum(row.macs for row in rows) == score.macs
    ids = [placed.id for placed in plan.ops()]
    assert len(set(ids)) == len(ids)
    by_part = ops_by_part(plan)
    assert list(by_part) == [part.path for part in parts(plan)]
    assert sorted(p.id for ops in by_part.values() for p in ops) == sorted(ids)
    for row in score.blocks:
        own = sum(prod(s) for p in by_part[row.name] for s in p.op.parameters().values())
        assert own == row.params
    assert score.activation_bytes_peak == flattened_peak(plan)


def flattened_peak(plan: Plan) -> int:
    """Peak memory by the definition: one op after the other, over the whole network."""
    ops = plan.ops()
    storage, size, last_use = {0: 0}, {0: plan.network.inputs[0].shape.elements()}, {0: -1}
    for i, placed in enumerate(ops):
        for number, shape in zip(placed.outputs, placed.output_shapes, strict=True):
            storage[number] = storage[placed.inputs[0]] if placed.op.is_view else number
            size.setdefault(storage[number], shape.elements())
        for number in (*placed.inputs, *placed.outputs):
            last_use[storage[number]] = i
    for number in plan.outputs():
        last_use[storage[number]] = len(ops)
    peak = 0
    for i, placed in enumerate(ops):
        made = {storage[n] for n in placed.outputs}
        before = {0, *(storage[n] for earlier in ops[:i] for n in earlier.outputs)}
        alive = {n for n in before if last_use[n] >= i} | made
        peak = max(peak, sum(size[n] for n in alive))
    return 2 * peak


def test_peak_memory_by_hand() -> None:
    fields = {
        "efspec": 1,
        "name": "tiny",
        "input": {"size": 32},
        "stem": {"type": "conv_stem", "width": 8},
        "stages": [{"width": 8, "blocks": [{"type": "ffn", "expansion_ratio": 2}]}],
        "head": {"type": "linear", "classes": 2},
    }
    # The image is 3x32x32 and the first map 4x16x16; the norm and the activation after it hold
    # two of them. Nothing later comes near: the FFN's hidden map is 16x8x8, beside x at 8x8x8.
    first = 4 * 16 * 16
    assert efspec.score(efspec.load(fields)).activation_bytes_peak == 2 * (3 * 32 * 32 + first)


def test_views_take_no_memory() -> None:
    plan = Plan("view", "", "", trace(MapToTokens(), map_shape(4, 8, 8)))
    assert peak_elements(plan.network) == 4 * 8 * 8


@pytest.mark.parametrize("latency", [0, -1.0, float("nan"), float("inf")])
def test_a_latency_is_above_zero(latency: float) -> None:
    with pytest.raises(efspec.EfspecError, match="bad-latency"):
        efspec.score(efspec.load("v2_s0"), latency=latency)
