"""Sizes that remember how they were written.

A block is traced on sizes that are real integers and carry their expression, so that one trace
gives concrete shapes and parametric source: `num_heads * key_dim` is 256 for the arithmetic and
`num_heads * key_dim` for the printed class.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from efspec.record import Record


class Binary(Record):
    """Two expressions joined by `+`, `-`, `*` or `//`."""

    operator: str
    left: Expr
    right: Expr


Expr = int | float | str | Binary
"""A literal, the name of a constructor argument, or an operation on two expressions."""

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "//": 2}
TIGHTEST = 3
"""Above every operator here: what stands under a power or before a dot."""
_APPLY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
}


class Size(int):
    """An integer that carries the expression it came from.

    Addition, subtraction, multiplication and floor division keep the expression. Everything else
    that would turn a size into a number or a truth value without it raises `TypeError`: take
    `plain(size)` and record what depends on it with `Builder.static`.
    """

    expr: Expr

    def __new__(cls, value: int, expr: Expr | None = None) -> Size:
        """A size of a value, written as an expression; as a literal by default."""
        self = super().__new__(cls, value)
        self.expr = plain(value) if expr is None else expr
        return self

    def __add__(self, other: int) -> Size:
        return _combine("+", self, other)

    def __radd__(self, other: int) -> Size:
        return _combine("+", other, self)

    def __sub__(self, other: int) -> Size:
        return _combine("-", self, other)

    def __rsub__(self, other: int) -> Size:
        return _combine("-", other, self)

    def __mul__(self, other: int) -> Size:
        return _combine("*", self, other)

    def __rmul__(self, other: int) -> Size:
        return _combine("*", other, self)

    def __floordiv__(self, other: int) -> Size:
        return _combine("//", self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return _combine("//", other, self)

    def __repr__(self) -> str:
        return f"Size({plain(self)}, {text(self.expr)!r})"


def _refuse(method: str) -> Callable[..., Any]:
    def refused(self: Size, *_: object) -> Any:
        raise TypeError(
            f"`{method}` would lose the expression of {self!r}: use +, -, * or //, or decide on "
            "plain(size) and record the decision with Builder.static"
        )

    return refused


_BINARY = ("truediv", "mod", "divmod", "pow", "lshift", "rshift", "and", "or", "xor")
_UNARY = ("neg", "pos", "abs", "invert", "int", "float", "round", "trunc", "floor", "ceil", "bool")
_ORDER = ("lt", "le", "gt", "ge")
for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), *_UNARY, *_ORDER):
    setattr(Size, f"__{_name}__", _refuse(_name))


class Rate(float):
    """A float that carries the name of the constructor argument it came from."""

    expr: Expr

    def __new__(cls, value: float, expr: Expr | None = None) -> Rate:
        """A rate of a value, written as an expression; as a literal by default."""
        self = super().__new__(cls, value)
        self.expr = float(value) if expr is None else expr
        return self


def plain(size: int) -> int:
    """The value of a size, without its expression."""
    return size if type(size) is int else int.__index__(size)


def expression(value: int | float) -> Expr:
    """How a number was written: its expression, or the number itself."""
    return value.expr if isinstance(value, Size | Rate) else value


def names(expr: Expr) -> set[str]:
    """The argument names in an expression."""
    if isinstance(expr, Binary):
        return names(expr.left) | names(expr.right)
    return {expr} if isinstance(expr, str) else set()


def substitute(expr: Expr, arguments: Mapping[str, Expr]) -> Expr:
    """The expression with each name replaced by what the caller passed for it."""
    if isinstance(expr, Binary):
        left, right = substitute(expr.left, arguments), substitute(expr.right, arguments)
        return _fold(expr.operator, left, right)
    return arguments[expr] if isinstance(expr, str) else expr


def text(expr: Expr, known: Mapping[Expr, str] | None = None, outer: int = 0) -> str:
    """Python source of an expression, with parentheses only where they are needed.

    Args:
        expr: The expression.
        known: Source of expressions that have been computed already.
        outer: Precedence of what encloses the expression; 0 for nothing.
    """
    if known and expr in known:
        return known[expr]
    if isinstance(expr, Binary):
        level = _PRECEDENCE[expr.operator]
        # The right operand of `-` and `//` binds tighter than its own level: a - (b - c).
        right = text(expr.right, known, level + 1)
        source = f"{text(expr.left, known, level)} {expr.operator} {right}"
        return f"({source})" if level < outer else source
    return expr if isinstance(expr, str) else repr(expr)


def _combine(op: str, left: int, right: int) -> Size:
    value = _APPLY[op](plain(left), plain(right))
    return Size(value, _fold(op, expression(left), expression(right)))


def _fold(op: str, left: Expr, right: Expr) -> Expr:
    """Join two expressions; literals are computed, and neutral elements and nested sums go."""
    if isinstance(left, int) and isinstance(right, int):
        return _APPLY[op](left, right)
    if op == "+" and isinstance(left, int):  # literals stand on the right
        left, right = right, left
    if op in "+-" and isinstance(right, int):
        shift = right if op == "+" else -right
        if isinstance(left, Binary) and left.operator in "+-" and isinstance(left.right, int):
            shift += left.right if left.operator == "+" else -left.right
            left = left.left
        if shift == 0:
            return left
        return Binary("+" if shift > 0 else "-", left, abs(shift))
    if op in ("*", "//") and right == 1:
        return left
    if op == "*" and left == 1:
        return right
    return Binary(op, left, right)
