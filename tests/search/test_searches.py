"""Searches: each step does what its rule says, checked against everything it could have done."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efspec.errors import EfspecError
from efspec.search.actions import actions
from efspec.search.baselines import Genes, nsga2, random_search
from efspec.search.evaluation import Evaluation, Evaluations, keeps_to
from efspec.search.front import front, hypervolume, regret
from efspec.search.joint import joint
from efspec.search.slimming import slimming, slimming_actions
from efspec.spec.candidates import Candidate, candidate_of, largest, member, smallest
from efspec.spec.space import Bound, Constraints
from tests.search.worlds import accuracy, evaluations, world
from tests.spec.test_spaces import SMALL, everything

Baseline = Callable[[Evaluations, int, int], None]

LARGER = SMALL.replace("[4, 8]", "[4, 8, 12]").replace("depth: [1, 2]", "depth: [1, 2, 3]")
IMPORTANCES = [[3.0, 1.0, 2.0], [0.5, 4.0, 2.5]]


def target(**most: float) -> Constraints:
    return Constraints(**{name: Bound(max=value) for name, value in most.items()})


def smaller(a: Candidate, b: Candidate) -> bool:
    """Whether a candidate is nowhere larger than another."""
    return all(
        x.width <= y.width
        and x.depth <= y.depth
        and x.attention_depth <= y.attention_depth
        and all(p <= q for p, q in zip(x.expansion_ratio, y.expansion_ratio, strict=False))
        for x, y in zip(a.stages, b.stages, strict=True)
    )


def test_actions_are_the_next_smaller_members(tmp_path: Path) -> None:
    space = world(tmp_path, LARGER).space
    whole = everything(space)
    for now in whole[::37]:
        found = list(actions(space, now))
        for action in found:
            assert candidate_of(space, member(space, action.result)) == action.result
            assert smaller(action.result, now)
            assert action.result != now
            between = [
                c for c in whole if smaller(action.result, c) and smaller(c, now)
                and c.stages[action.stage].depth in (now.stages[action.stage].depth,)
                and action.kind != "depth"
            ]  # fmt: skip
            if action.kind != "depth":
                assert set(between) == {now, action.result}
        assert len({action.result for action in found}) == len(found)
    assert not list(actions(space, smallest(space)))


def test_each_step_of_the_joint_search_is_the_best(tmp_path: Path) -> None:
    compiled = world(tmp_path, LARGER)
    seen = evaluations(compiled)
    outcome = joint(seen, {"none": target(latency_ms=0.0)})
    assert (outcome.ended, outcome.missed) == ("actions", ("none",))
    assert len(outcome.steps) > 5
    now = largest(compiled.space)
    for step in outcome.steps:
        assert step.before.candidate == now
        possible = list(actions(compiled.space, now))
        (own, *others) = seen.figures([now, *(action.result for action in possible)])
        best = min(
            (
                (lost > 0, lost / gain if lost > 0 else -gain)
                for action, after in zip(possible, others, strict=True)
                for gain in [after["mes"] - own["mes"]]
                for lost in [accuracy(now) - accuracy(action.result)]
                if gain > 0
            )
        )
        gain = step.after.mes - step.before.mes
        lost = step.before.accuracy - step.after.accuracy
        assert gain > 0
        assert (lost > 0, lost / gain if lost > 0 else -gain) == best
        now = step.after.candidate


def test_each_step_of_slimming_is_the_best(tmp_path: Path) -> None:
    compiled = world(tmp_path, LARGER)
    seen = evaluations(compiled)
    outcome = slimming(seen, IMPORTANCES, {"none": target(latency_ms=0.0)})
    assert len(outcome.steps) > 4
    for step in outcome.steps:
        possible = slimming_actions(compiled.space, step.before.candidate, IMPORTANCES)
        assert 1 <= len(possible) <= 3
        ranks = []
        for action in possible:
            (after,) = seen.figures([action.result])
            saved = step.before.figures["latency_ms"] - after["latency_ms"]
            lost = step.before.accuracy - accuracy(action.result)
            if saved > 0:
                ranks.append((lost > 0, lost / saved if lost > 0 else -saved))
        saved = step.before.figures["latency_ms"] - step.after.figures["latency_ms"]
        lost = step.before.accuracy - step.after.accuracy
        assert (lost > 0, lost / saved if lost > 0 else -saved) == min(ranks)


def test_the_three_actions_of_slimming(tmp_path: Path) -> None:
    space = world(tmp_path, LARGER).space
    now = largest(space)
    depth, attention, width = slimming_actions(space, now, IMPORTANCES)
    # The least important path of all is in stage 1, and the least important stage is 0.
    assert (depth.kind, depth.stage, depth.result.stages[1].depth) == ("depth", 1, 2)
    assert (attention.kind, attention.stage, attention.block) == ("attention", 1, 1)
    assert (width.kind, width.stage, width.result.stages[0].width) == ("width", 0, 8)
    fewer = attention.result.stages[1]
    assert (fewer.depth, fewer.attention_depth) == (2, 1)


def test_targets_are_met_on_the_way(tmp_path: Path) -> None:
    compiled = world(tmp_path, LARGER)
    seen = evaluations(compiled)
    most, least = seen.figures([largest(compiled.space), smallest(compiled.space)])

    def part(name: str, share: float) -> float:
        return least[name] + share * (most[name] - least[name])

    targets = {
        "small": target(latency_ms=part("latency_ms", 0.4)),
        "large": target(latency_ms=part("latency_ms", 0.9), params=part("params", 0.8)),
    }
    outcome = joint(seen, targets)
    assert outcome.ended == "targets"
    path = [outcome.start, *(step.after for step in outcome.steps)]
    for name, wanted in targets.items():
        fitting = [one for one in path if keeps_to(one.figures, wanted)]
        assert outcome.targets[name] == fitting[0]
    assert path[-1] == outcome.targets["small"]


def test_budgets_end_searches(tmp_path: Path) -> None:
    seen = evaluations(world(tmp_path, LARGER), budget=10)
    outcome = joint(seen, {"none": target(latency_ms=0.0)})
    assert (outcome.ended, len(seen)) == ("budget", 10)


def test_candidates_are_evaluated_once_and_told_before_they_are_used(tmp_path: Path) -> None:
    compiled, asked, told = world(tmp_path, LARGER), [], []

    def evaluate(candidate: Candidate) -> float:
        asked.append(candidate)
        return accuracy(candidate)

    seen = Evaluations(compiled, evaluate, told=lambda one: told.append(one.candidate))
    first = joint(seen, {"none": target(latency_ms=0.0)})
    assert len(asked) == len(set(asked)) == len(told) == len(seen)
    half = {one.candidate: one.accuracy for one in list(seen)[: len(seen) // 2]}
    again = Evaluations(compiled, evaluate, known=half)
    assert joint(again, {"none": target(latency_ms=0.0)}) == first
    assert len(asked) == 2 * len(told) - len(half)


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.1, math.inf])
def test_what_is_no_accuracy_is_told(value: float, tmp_path: Path) -> None:
    with pytest.raises(EfspecError, match="bad-accuracy"):
        Evaluations(world(tmp_path), lambda candidate: value).of(largest(world(tmp_path).space))


def test_searches_against_the_true_front(tmp_path: Path) -> None:
    compiled = world(tmp_path, LARGER)
    whole = everything(compiled.space)
    all_of_them = evaluations(compiled)
    best = front([all_of_them.of(candidate) for candidate in whole])
    points = [(one.accuracy, one.mes) for one in best]

    def of(seen: Evaluations) -> float:
        return regret([(one.accuracy, one.mes) for one in front(seen)], points)

    path = evaluations(compiled)
    joint(path, {"none": target(latency_ms=0.0)})
    found = {"joint": of(path)}
    for name, search in (("random", random_search), ("nsga2", nsga2)):
        seen = evaluations(compiled, budget=len(path))
        search(seen, len(path), 0)
        assert len(seen) <= len(path)
        found[name] = of(seen)
    assert 0 <= found["joint"] < 0.1
    assert all(0 <= value < 1 for value in found.values())


@pytest.mark.parametrize("search", [random_search, nsga2])
def test_baselines_depend_on_their_seed_alone(search: Baseline, tmp_path: Path) -> None:
    def run(seed: int) -> list[Evaluation]:
        seen = evaluations(world(tmp_path, LARGER), budget=24)
        search(seen, 24, seed)
        return list(seen)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert len(run(1)) == 24


def test_baselines_keep_to_constraints(tmp_path: Path) -> None:
    text = LARGER + "constraints: {params: {max: 3000}}\n"
    for search in (random_search, nsga2):
        seen = evaluations(world(tmp_path, text), budget=12)
        search(seen, 12, 0)
        assert len(seen) > 3
        assert all(one.figures["params"] <= 3000 for one in seen)
    text = LARGER + "constraints: {params: {max: 3}}\n"
    with pytest.raises(EfspecError, match="none of 10,000 random members"):
        random_search(evaluations(world(tmp_path, text)), 5, 0)


def test_genes_reach_every_member(tmp_path: Path) -> None:
    space = world(tmp_path).space
    genes = Genes(space)
    from itertools import product

    found = {genes.candidate(list(one)) for one in product(*map(range, genes.sizes))}
    assert found == set(everything(space))


POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8)


@given(POINTS)
def test_hypervolume_counts_the_cells_that_are_covered(points: list[tuple[int, int]]) -> None:
    cells = sum(any(x < a and y < b for a, b in points) for x in range(9) for y in range(9))
    assert hypervolume(points) == cells
    assert hypervolume(points[::-1], (0, 0)) == cells
    assert hypervolume(points, (9, 9)) == 0


@given(POINTS)
def test_the_front_is_what_none_beats(points: list[tuple[int, int]]) -> None:
    some = [
        Evaluation(Candidate(()), accuracy=x / 10, figures={"mes": float(y)}) for x, y in points
    ]
    kept = {(one.accuracy, one.mes) for one in front(some)}
    expected = {
        (x / 10, float(y))
        for x, y in points
        if not any((a >= x and b >= y) and (a, b) != (x, y) for a, b in points)
    }
    assert kept == expected
