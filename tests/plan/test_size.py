from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efspec.plan import size
from efspec.plan.size import Size, plain

SAMPLES = {"a": 7, "b": 12, "c": 3}


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> int:
    """A size made by random arithmetic, evaluated as it is made."""
    if depth == 0 or draw(st.booleans()):
        name = draw(st.sampled_from([*SAMPLES, 1, 2, 3]))
        return Size(SAMPLES[name], name) if isinstance(name, str) else name
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    operator = draw(st.sampled_from(["+", "-", "*", "//"]))
    if operator == "//" and plain(right) == 0:
        operator = "+"
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "//": lambda: left // right,
    }[operator]()


@given(expressions())
def test_printed_expression_has_the_value(value: int) -> None:
    printed = size.text(size.expression(value))
    assert eval(printed, {}, dict(SAMPLES)) == plain(value)


@given(expressions())
def test_substitution_keeps_the_value(value: int) -> None:
    arguments = {"a": size.expression(Size(4, "x") + 3), "b": 12, "c": "c"}
    rewritten = size.substitute(size.expression(value), arguments)
    assert eval(size.text(rewritten), {}, {"x": 4, "c": 3}) == plain(value)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (Size(7, "n") - 1 + 1, "n"),
        ((Size(7, "n") - 1) // 2 + 1, "(n - 1) // 2 + 1"),
        (1 * Size(7, "n") * 1, "n"),
        (2 + Size(7, "n"), "n + 2"),
        (Size(7, "n") - (Size(3, "m") - 1), "n - (m - 1)"),
        (Size(7, "n") * (Size(3, "m") * 2), "n * (m * 2)"),
    ],
)
def test_text_is_what_a_person_would_write(value: int, printed: str) -> None:
    assert size.text(size.expression(value)) == printed


@pytest.mark.parametrize(
    "lossy",
    [
        lambda n: n / 2,
        lambda n: n % 2,
        lambda n: n**2,
        lambda n: -n,
        lambda n: abs(n),
        lambda n: int(n),
        lambda n: float(n),
        lambda n: round(n),
        lambda n: bool(n),
        lambda n: n < 3,
        lambda n: max(n, 3),
        lambda n: n & 1,
        lambda n: divmod(n, 2),
    ],
)
def test_what_would_lose_the_expression_raises(lossy: object) -> None:
    with pytest.raises(TypeError, match="would lose the expression"):
        lossy(Size(7, "n"))  # type: ignore[operator]


def test_plain_value_and_hash_are_those_of_the_integer() -> None:
    assert plain(Size(7, "n")) == 7
    assert type(plain(Size(7, "n"))) is int
    assert {Size(7, "n"): 1}[7] == 1
