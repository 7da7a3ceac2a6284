"""What a diagram shows of a network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import efspec
from efspec.diagram.figure import Band, Figure, figure
from efspec.diagram.words import amount, details, ratios
from efspec.plan import Plan, parts
from tests.diagram.networks import all_networks, network, stage, unknown
from tests.strategies import networks

NETWORKS = all_networks()


def shown(name: str) -> Figure:
    return figure(efspec.resolve(efspec.load(name)))


def kinds(band: Band) -> list[tuple[str, str, int]]:
    return [(run.type, run.kind, run.count) for run in band.runs]


@pytest.mark.parametrize("plan", NETWORKS.values(), ids=NETWORKS)
def test_every_part_is_there_once_and_costs_add_up(plan: Plan) -> None:
    drawn = figure(plan)
    runs = [run for band in drawn.bands for run in band.runs]
    assert sum(run.count for run in runs) == len(parts(plan))
    score = efspec.score(plan)
    assert sum(band.params for band in drawn.bands) == drawn.params == score.params
    assert sum(band.macs for band in drawn.bands) == drawn.macs == score.macs
    stages = [band.name for band in drawn.bands]
    numbers = range(len(stages) - 2)
    assert stages == ["stem", *(f"stage {i}" for i in numbers), "head"]
    assert drawn.bands[-1].outputs == tuple(value.shape for value in plan.network.outputs)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(max_size=96))
def test_expansions_are_hidden_channels_over_width(fields: dict[str, Any]) -> None:
    plan = efspec.resolve(efspec.load(fields))
    wanted = [
        part.module.arguments["hidden_dim"] / part.input.channels
        for part in parts(plan)
        if part.module and "hidden_dim" in part.module.arguments
    ]
    bands = figure(plan).bands
    assert [ratio for band in bands for run in band.runs for ratio in run.expansions] == wanted


def test_v2_shows_what_is_attention_and_what_is_strided() -> None:
    stem, first, _, third, last, head = shown("v2_s1").bands
    assert kinds(stem) == [("ConvStem", "resample", 1)]
    assert kinds(first) == [("FFN", "plain", 3)]
    assert kinds(third) == [
        ("Downsample", "resample", 1),
        ("FFN", "plain", 7),
        ("StrideAttnFFN", "strided", 2),
    ]
    assert third.runs[1].expansions == (4, 4, 3, 3, 3, 3, 4)
    assert details(third.runs[2])[-1] == "8 heads, 49 × 49"
    assert kinds(last) == [
        ("AttentionDownsample", "strided", 1),
        ("FFN", "plain", 4),
        ("AttnFFN", "attention", 2),
    ]
    assert details(last.runs[0]) == [
        "attention\N{NO-BREAK SPACE}· 3×3\N{NO-BREAK SPACE}/2",
        "8 heads, 49 × 196",
        "14 × 14 → 7 × 7",
        "120 → 224 channels",
    ]
    assert kinds(head) == [("head", "head", 1)]


def test_v1_shows_its_change_of_representation() -> None:
    last = shown("v1_l1").bands[-2]
    assert kinds(last)[2:] == [("MapToTokens", "conversion", 1), ("MB3D", "attention", 1)]
    assert last.runs[2].expansions == ()
    words = details(last.runs[2])[-1].replace("\N{NO-BREAK SPACE}", " ")
    assert words == "4D 448 × 7 × 7 → 3D 49 × 448"


def test_a_pyramid_shows_what_is_returned() -> None:
    bands = figure(NETWORKS["pyramid"]).bands
    assert [band.name for band in bands if band.returned] == ["stage 0", "stage 1", "stage 3"]
    assert {run.kind for run in bands[-1].runs} == {"conversion", "head"}
    assert not bands[-1].chained
    bare = figure(NETWORKS["bare pyramid"]).bands
    assert [band.name for band in bare if band.returned] == ["stage 1", "stage 2"]
    assert bare[-1].runs == ()
    assert not any(band.returned for band in shown("v2_s0").bands)


def test_conversions_between_stages_belong_to_the_stage_that_they_feed() -> None:
    stages = [stage(8, {"type": "mb3d"}), stage(8, {"type": "ffn"}, downsample={"type": "conv"})]
    for head in ({"type": "linear"}, {"type": "features", "stages": [0, 1]}):
        bands = figure(network("between", stages=stages, head=head)).bands
        assert bands[2].runs[0].type == "TokensToMap", head


def test_blocks_that_nobody_has_heard_of_are_drawn_by_what_is_in_them() -> None:
    _, only, _ = figure(unknown()).bands
    wide, to_tokens, gated, shrink, to_map, down = only.runs
    assert (wide.kind, wide.count, wide.expansions) == ("plain", 2, (3.0, 3.0))
    assert wide.words == ("5×5", "1×1")
    assert (to_tokens.kind, to_map.kind) == ("conversion", "conversion")
    assert (gated.kind, gated.words, gated.expansions) == ("attention", ("attention",), ())
    assert gated.attention is not None
    assert gated.attention.values() == (1, 16 * 12, 16 * 12)
    assert details(shrink)[-1] == "8 → 16 channels"
    assert down.kind == "resample"


@pytest.mark.parametrize(
    ("entries", "counts"),
    [
        ([{"type": "ffn", "repeat": 2}, {"type": "ffn", "expansion_ratio": 1}], [3]),
        ([{"type": "ffn"}, {"type": "ffn", "act": "relu"}], [1, 1]),
        ([{"type": "ffn", "drop_path": 0.1}, {"type": "ffn", "drop_path": 0.2}], [2]),
        ([{"type": "ffn"}, {"type": "ffn", "layer_scale": None}], [1, 1]),
        ([{"type": "mb3d", "num_heads": 2}, {"type": "mb3d"}], [1, 1, 1]),
        ([{"type": "mb4d", "pool_size": 5}, {"type": "mb4d"}], [1, 1]),
    ],
)
def test_runs_are_of_blocks_that_differ_in_expansion_alone(
    entries: list[dict[str, object]], counts: list[int]
) -> None:
    band = figure(network("runs", stages=[stage(8, *entries)])).bands[1]
    assert [run.count for run in band.runs] == counts


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_994, "9.99 k"),
        (9_995, "10.0 k"),
        (99_949, "99.9 k"),
        (99_950, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (6_185_560, "6.19 M"),
        (10_119_325_696, "10.1 G"),
        (10**21, "1000000 P"),
    ],
)
def test_amounts_have_three_digits(number: int, text: str) -> None:
    assert amount(number) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((4.0,) * 100, "4"),
        ((4.0, 4.0, 3.0), "4, 4, 3"),
        ((4.0,) * 9 + (1.5,), "4 (×9), 1.5"),
        (tuple(1.0 + i for i in range(9)), "1 to 9"),
    ],
)
def test_ratios_are_listed_or_summed_up(values: tuple[float, ...], text: str) -> None:
    assert ratios(values) == text
