"""Diagnostics: what efspec says when the input is wrong.

A mistake of the user is never a traceback. Whoever finds one makes a `Diagnostic`; whoever
cannot go on raises `EfspecError` with all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from efspec.record import Record


class Diagnostic(Record):
    """One mistake, where it stands, and what would be right.

    Attributes:
        name: Stable kebab-case name of the kind of mistake.
        message: What is wrong, with the offending value.
        field: The field as the user wrote it, such as `stages[2].blocks[0].expansion_ratio`.
        expected: What is accepted there.
        fix: One likely remedy.
        file: Path or name of the input; empty when there is none.
        line: Line, counted from 1; 0 when there is no position.
        column: Column, counted from 1; 0 when there is no position.
        source: Text of that line.
    """

    name: str
    message: str
    field: str = ""
    expected: str = ""
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    source: str = ""

    def render(self) -> str:
        """The diagnostic as text for a terminal, several lines, without a final newline."""
        place = _visible(self.file)
        if self.line:
            place = f"{place}:{self.line}:{self.column}"
        lines = [
            (f"{place}: " if place else "")
            + f"error[{self.name}]: "
            + (f"{_visible(self.field)}: " if self.field else "")
            + "\n".join(map(_visible, self.message.split("\n")))
        ]
        margin = " " * len(str(self.line)) if self.line else " "
        if self.line and self.source:
            text, caret = _window(self.source, self.column)
            lines += [f"{margin} |", f"{self.line} | {text}", f"{margin} | {caret}"]
        if self.expected:
            lines.append(f"{margin} = expected: {_visible(self.expected)}")
        if self.fix:
            lines.append(f"{margin} = fix: {_visible(self.fix)}")
        return "\n".join(lines)


class EfspecError(Exception):
    """The input is wrong. Carries every mistake that was found, sorted by position."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.file, d.line, d.column)))
        super().__init__("\n".join(d.render() for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[EfspecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


def fail(
    name: str,
    message: str,
    *,
    field: str = "",
    expected: str = "",
    fix: str = "",
    file: str = "",
    line: int = 0,
    column: int = 0,
    source: str = "",
) -> EfspecError:
    """An error of one diagnostic, to be raised; the arguments are `Diagnostic`'s attributes."""
    diagnostic = Diagnostic(
        name=name,
        message=message,
        field=field,
        expected=expected,
        fix=fix,
        file=file,
        line=line,
        column=column,
        source=source,
    )
    return EfspecError([diagnostic])


def suggestion(word: str, known: Iterable[str]) -> str:
    """A question that offers the known word nearest to `word`; empty when none is near."""
    import difflib  # only what is wrong needs it

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _window(source: str, column: int, width: int = 100) -> tuple[str, str]:
    """The part of a line around a column, and a caret line below it; long lines are cut."""
    source = source.replace("\t", " ")
    start = max(0, column - 1 - width // 2) if len(source) > width else 0
    text = source[start : start + width]
    if start:
        text = "..." + text[3:]
    if start + width < len(source):
        text = text[:-3] + "..."
    return _visible(text), " " * (column - 1 - start) + "^"


def _visible(text: str) -> str:
    """A text without what moves a terminal's cursor, changes its colours or turns it around."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
