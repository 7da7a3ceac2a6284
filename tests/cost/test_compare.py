"""What differs between the costs of two networks."""

from __future__ import annotations

import pytest

import efspec
from efspec.cost.compare import TotalCosts, compare_stages, compare_totals, delta
from efspec.resources import shipped_specs
from efspec.spec.compare import compare

FIGURES = ("params", "params_folded", "macs")


@pytest.mark.parametrize(
    ("a", "b", "change", "relative"),
    [(2, 3, 1, 0.5), (4, 1, -3, -0.75), (0, 5, 5, None), (None, 5, 5, None), (5, None, -5, None)],
)
def test_changes_are_told_absolute_and_relative(
    a: int | None, b: int | None, change: int, relative: float | None
) -> None:
    assert delta(a, b).values() == (a, b, change, relative)


@pytest.mark.parametrize("name", shipped_specs())
def test_changes_of_stages_add_up_to_that_of_the_whole(name: str) -> None:
    one, other = efspec.load("v1_l1"), efspec.load(name)
    a, b = efspec.score(one), efspec.score(other)
    totals = compare_totals(a, b)
    stages = compare_stages(a, b, compare(one, other).stages)
    for figure in TotalCosts.fields:
        total = getattr(totals, figure)
        assert (total.a, total.b) == (getattr(a, figure), getattr(b, figure))
    for figure in FIGURES:
        assert sum(getattr(s, figure).change for s in stages) == getattr(totals, figure).change
    assert [s.a for s in stages if s.a] == [row.name for row in a.stages]
    assert [s.b for s in stages if s.b] == [row.name for row in b.stages]
    assert (stages[0].a, stages[-1].a) == ("stem", "head")


def test_stages_that_a_backbone_leaves_out_are_in_the_other_alone() -> None:
    one = efspec.load("v2_s0")
    other = efspec.load("v2_s0", set=["head={type: features, stages: [1]}"])
    a, b = efspec.score(one), efspec.score(other)
    stages = compare_stages(a, b, compare(one, other).stages)
    names = [(stage.a, stage.b) for stage in stages]
    assert names == [
        ("stem", "stem"), ("0", "0"), ("1", "1"), ("2", None), ("3", None), ("head", None)
    ]  # fmt: skip
