"""Laying out source text: what fits on a line stays on it, the rest is broken as ruff would."""

from __future__ import annotations

from dataclasses import dataclass

LINE_LENGTH = 88
"""The default of ruff and black, so that a generated file is clean where it lands."""

_INDENT = "    "


@dataclass(frozen=True)
class Call:
    """A call in source text.

    Attributes:
        function: What is called.
        positional: Positional arguments.
        keywords: Keyword arguments, by name.
        spread: Whether to put each argument on its own line even if all would fit on one.
    """

    function: str
    positional: tuple[Source, ...] = ()
    keywords: tuple[tuple[str, Source], ...] = ()
    spread: bool = False


@dataclass(frozen=True)
class Starred:
    """A list comprehension, unpacked into the arguments: `*[item for variable in iterable]`."""

    item: Source
    variable: str
    iterable: Source


Source = str | Call | Starred


def flat(source: Source) -> str:
    """The source on one line."""
    match source:
        case str():
            return source
        case Starred(item, variable, iterable):
            return f"*[{flat(item)} for {variable} in {flat(iterable)}]"
        case Call(function):
            return f"{function}({', '.join(_arguments(source))})"


def lay_out(source: Source, indent: int = 0, prefix: str = "", suffix: str = "") -> list[str]:
    """The source as lines, between a prefix and a suffix, at a depth of indentation."""
    margin = _INDENT * indent
    line = f"{margin}{prefix}{flat(source)}{suffix}"
    if isinstance(source, str) or (len(line) <= LINE_LENGTH and not _spreads(source)):
        return [line]
    if isinstance(source, Starred):
        item = lay_out(source.item, indent + 1)
        loop = lay_out(source.iterable, indent + 1, f"for {source.variable} in ")
        return [f"{margin}{prefix}*[", *item, *loop, f"{margin}]{suffix}"]
    head, tail = f"{margin}{prefix}{source.function}(", f"{margin}){suffix}"
    together = margin + _INDENT + ", ".join(_arguments(source))
    if len(together) <= LINE_LENGTH and not _spreads(source):
        return [head, together, tail]
    lines = [line for x in source.positional for line in lay_out(x, indent + 1, "", ",")]
    for name, value in source.keywords:
        lines += lay_out(value, indent + 1, f"{name}=", ",")
    return [head, *lines, tail]


def signature(name: str, parameters: list[str], returns: str, indent: int) -> list[str]:
    """The first lines of a function definition."""
    call = Call(f"def {name}", tuple(parameters))
    return lay_out(call, indent, "", f" -> {returns}:")


def docstring(text: str, indent: int) -> list[str]:
    """A docstring, cleaned of the indentation it was written with."""
    margin = _INDENT * indent
    first, *rest = text.strip().splitlines()
    depth = min((len(r) - len(r.lstrip()) for r in rest if r.strip()), default=0)
    lines = [first, *(r[depth:].rstrip() for r in rest)]
    if len(lines) == 1:
        return [f'{margin}"""{first}"""']
    return [f'{margin}"""{first}', *(f"{margin}{r}".rstrip() for r in lines[1:]), f'{margin}"""']


def _arguments(call: Call) -> list[str]:
    keywords = [f"{name}={flat(value)}" for name, value in call.keywords]
    return [flat(x) for x in call.positional] + keywords


def _spreads(source: Source) -> bool:
    """Whether the source holds a call that is to be spread over lines."""
    match source:
        case str():
            return False
        case Starred(item):
            return _spreads(item)
        case Call():
            inner = (*source.positional, *(value for _, value in source.keywords))
            return source.spread or any(map(_spreads, inner))
