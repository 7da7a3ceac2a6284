"""Compiled spaces: what look-ups say of candidates is what their plans say."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import efspec
from efspec.api import load_mes
from efspec.cost import score
from efspec.errors import EfspecError
from efspec.latency import Device, device_source
from efspec.search import Candidates, compiled, sampled
from efspec.search.arrays import of_each
from efspec.spec.candidates import (
    Candidate,
    candidate_of,
    largest,
    member,
    part_specs,
    sample,
    smallest,
)
from efspec.spec.space import SpaceSpec
from efspec.spec.spaces import read_space, shipped_spaces
from tests.latency.tables import table_of
from tests.spec.test_spaces import SMALL, everything

COUNT = 1000
MES_TOLERANCE = 1e-12
"""Relative: powers are rounded by numpy and by Python in ways of their own."""


def device(space: SpaceSpec) -> Device:
    """A source that knows every part of a space; no two parts take the same time."""
    plans = [efspec.resolve(spec) for spec in part_specs(space)]
    return Device(table_of(*plans, ns=lambda key: 10**5 + hash(key.input) % 10**4 + len(key.text)))


def check(space: SpaceSpec, candidates: Candidates, source: efspec.cost.LatencySource) -> None:
    mes = load_mes()
    found = compiled(space, source, mes).figures(candidates, peak=True)
    for i, candidate in enumerate(candidates.each(space)):
        expected = score(efspec.resolve(member(space, candidate)), source, mes)
        for name in ("params", "params_folded", "macs", "latency_ms", "activation_bytes_peak"):
            assert found.columns()[name][i] == getattr(expected, name)
        assert found.mes is not None
        assert found.mes[i] == pytest.approx(expected.mes, rel=MES_TOLERANCE, abs=0)


@pytest.mark.parametrize("name", shipped_spaces())
def test_figures_are_those_of_plans(name: str) -> None:
    space = read_space(name)
    source = device_source("iphone12") if name != "digits" else device(space)
    check(space, sampled(space, COUNT, seed=7), source)
    check(space, of_each(space, [smallest(space), largest(space)]), source)


@pytest.mark.parametrize(
    ("name", "networks"),
    [("v2", ["v2_s0", "v2_s1", "v2_s2", "v2_l"]), ("v1", ["v1_l1", "v1_l3", "v1_l7"])],
)
def test_published_networks(name: str, networks: list[str]) -> None:
    space, source, mes = read_space(name), device_source("iphone12"), load_mes()
    members = of_each(space, [candidate_of(space, efspec.load(n)) for n in networks])
    found = compiled(space, source, mes).figures(members)
    scores = [efspec.score(efspec.load(n), latency=source) for n in networks]
    assert found.params.tolist() == [one.params for one in scores]
    assert found.latency_ms is not None
    assert found.latency_ms.tolist() == [one.latency_ms for one in scores]


@pytest.mark.parametrize("stage_without_downsample", [False, True])
def test_all_members_of_a_small_space(stage_without_downsample: bool, tmp_path: Path) -> None:
    text = SMALL
    if stage_without_downsample:
        text = text.replace("[4, 8]", "[8]").replace("[8, 12]", "[8]")
        text = text.replace("    downsample: {type: conv}\n", "")
    (tmp_path / "small.yaml").write_text(text)
    space = read_space(tmp_path / "small.yaml")
    check(space, of_each(space, everything(space)), device(space))


def test_without_a_source_latency_is_not_known() -> None:
    space = read_space("digits")
    found = compiled(space).figures(sampled(space, 10, seed=0))
    assert list(found.columns()) == ["params", "params_folded", "macs"]


def test_what_a_source_does_not_know_is_told() -> None:
    space = read_space("digits")
    some = Device(table_of(efspec.resolve(member(space, smallest(space))), ns=lambda key: 1000))
    with pytest.raises(EfspecError, match="has no latency of"):
        compiled(space, some)


@pytest.mark.parametrize("name", shipped_spaces())
def test_arrays_hold_candidates(name: str) -> None:
    space, chance = read_space(name), random.Random(0)
    some = [sample(space, chance) for _ in range(200)]
    arrays = of_each(space, some)
    assert list(arrays.each(space)) == some
    assert list(arrays[10:20].each(space)) == some[10:20]
    assert list(arrays[np.array([5, 3])].each(space)) == [some[5], some[3]]
    again = sampled(space, 200, seed=3)
    assert list(of_each(space, again.each(space)).ratios.ravel()) == list(again.ratios.ravel())
    assert len(again) == 200


@pytest.mark.parametrize("name", shipped_spaces())
def test_samples_depend_on_their_seed_alone(name: str) -> None:
    space = read_space(name)
    first, second, other = (list(sampled(space, 50, s).each(space)) for s in (1, 1, 2))
    assert first == second
    assert first != other


def test_samples_are_spread_evenly(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    space = read_space(tmp_path / "small.yaml")
    drawn = list(sampled(space, 20_000, seed=0).each(space))
    assert set(drawn) == set(everything(space))
    share = {d: sum(c.stages[1].depth == d for c in drawn) / len(drawn) for d in (1, 2)}
    assert share == {1: pytest.approx(0.5, abs=0.02), 2: pytest.approx(0.5, abs=0.02)}
    chance = random.Random(0)
    others = [sample(space, chance) for _ in range(20_000)]

    def of(candidates: list[Candidate]) -> list[float]:
        whole = everything(space)
        counts = dict.fromkeys(whole, 0)
        for one in candidates:
            counts[one] += 1
        return [counts[one] / len(candidates) for one in whole]

    assert of(drawn) == pytest.approx(of(others), abs=0.015)


def test_ratios_that_do_not_fit_are_told(tmp_path: Path) -> None:
    text = SMALL.replace("depth: [1, 2], block", "depth: [1, 70], block", 1)
    (tmp_path / "deep.yaml").write_text(text)
    with pytest.raises(EfspecError, match="need 70 bits"):
        sampled(read_space(tmp_path / "deep.yaml"), 1, seed=0)
