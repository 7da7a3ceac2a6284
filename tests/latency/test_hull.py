"""What measured points say of a point between them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from efspec.latency.hull import Point, below, between, bounds, grouped, kind, nearest, place
from efspec.plan.key import BlockKey, parse_key


def key(text: str) -> BlockKey:
    found = parse_key(text)
    assert found is not None
    return found


def point(*values: float) -> Point:
    return tuple(map(Fraction, values))


AXES = st.lists(st.integers(1, 20), min_size=2, max_size=4, unique=True).map(sorted)


@st.composite
def grids(draw: st.DrawFn) -> dict[Point, int]:
    """A full grid of samples that rise with every axis."""
    axes = draw(st.lists(AXES, min_size=1, max_size=3))
    steps = draw(st.integers(1, 50))
    tilt = draw(st.lists(st.integers(0, 9), min_size=len(axes), max_size=len(axes)))
    return {
        point(*at): 1000 + steps * sum(t * x * x for t, x in zip(tilt, at, strict=True))
        for at in product(*axes)
    }


@st.composite
def scattered(draw: st.DrawFn) -> dict[Point, int]:
    """Samples anywhere, in any order."""
    places = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return {
        point(*at): ns
        for at, ns in draw(st.dictionaries(places, st.integers(1, 10**6), min_size=2)).items()
    }


def inside(samples: dict[Point, int], draw: st.DataObject) -> Point:
    columns = list(zip(*samples, strict=True))
    return tuple(
        draw.draw(st.fractions(min(column), max(column), max_denominator=8)) for column in columns
    )


@given(grids())
def test_it_goes_through_what_is_measured(samples: dict[Point, int]) -> None:
    for at, ns in samples.items():
        assert between(samples, at) == ns
        assert bounds(samples, samples, at) == (ns, ns)


@given(grids(), st.data())
def test_inside_a_grid_it_is_known_and_within_its_bounds(
    samples: dict[Point, int], data: st.DataObject
) -> None:
    at = inside(samples, data)
    found, limits = between(samples, at), bounds(samples, samples, at)
    assert found is not None
    assert limits is not None
    assert limits[0] <= found <= limits[1]


@given(scattered(), st.data())
def test_it_never_falls_as_a_size_grows(samples: dict[Point, int], data: st.DataObject) -> None:
    small, large = inside(samples, data), inside(samples, data)
    assume(below(small, large))
    first, second = between(samples, small), between(samples, large)
    assume(first is not None and second is not None)
    assert first <= second  # type: ignore[operator]  # it is assumed


@given(scattered(), st.data())
def test_outside_nothing_is_known(samples: dict[Point, int], data: st.DataObject) -> None:
    columns = list(zip(*samples, strict=True))
    axis = data.draw(st.sampled_from(range(len(columns))))
    for beyond in (min(columns[axis]) - 1, max(columns[axis]) + 1):
        at = list(inside(samples, data))
        at[axis] = beyond
        assert between(samples, tuple(at)) is None


def test_between_two_rows_it_is_linear() -> None:
    samples = {point(32): 1000, point(48): 3000}
    assert [between(samples, point(n)) for n in (32, 36, 40, 48)] == [1000, 1500, 2000, 3000]


def test_a_corner_that_nothing_bounds_is_not_filled() -> None:
    samples = {point(1, 4): 10, point(4, 1): 20}
    assert between(samples, point(2, 2)) is None
    assert between(samples | {point(1, 1): 5, point(4, 4): 40}, point(2, 2)) is not None


def test_noise_does_not_bend_it() -> None:
    noisy = {point(1): 100, point(2): 90, point(3): 120}
    values = [between(noisy, point(1 + i / 10)) for i in range(21)]
    assert None not in values
    assert all(a <= b for a, b in pairwise(values))  # type: ignore[operator]  # none is None


def test_places() -> None:
    ffn = key("FFN(hidden_dim=128; act=gelu) @ 32x56x28")
    assert place(ffn) == point(4, 32, 56, 0.5)
    assert place(key("Downsample(out_dim=48) @ 32x56x56")) == point(48, 32, 56, 1)
    pyramid = key("Head(; norm1=layer_norm, norm3=layer_norm) @ 48x28x28x176x7x7")
    assert place(pyramid) == point(48, 28, 28, 176, 7, 7)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("FFN(hidden_dim=64; act=gelu) @ 16x7x7", True),
        ("FFN(hidden_dim=128; act=relu) @ 32x56x56", False),
        ("FFN(out_dim=128; act=gelu) @ 32x56x56", False),
        ("MB4D(hidden_dim=128; act=gelu) @ 32x56x56", False),
    ],
)
def test_kinds(other: str, *, same: bool) -> None:
    assert (kind(key("FFN(hidden_dim=128; act=gelu) @ 32x56x56")) == kind(key(other))) == same


def test_nearest_is_by_ratio() -> None:
    points = [point(8, 8), point(100, 8)]
    assert nearest(points, point(16, 8)) == points[0]
    assert nearest(points, point(60, 8)) == points[1]
    assert nearest([], point(1)) is None


def test_groups_hold_points() -> None:
    keys = [key(f"FFN(hidden_dim={4 * n}; act=gelu) @ {n}x7x7") for n in (8, 16)]
    (group,) = grouped(keys).values()
    assert group == {point(4, 8, 7, 1): keys[0], point(4, 16, 7, 1): keys[1]}
