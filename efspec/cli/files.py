"""Writing files: under a temporary name first, then renamed, so that none is ever half there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

TEMPORARY = ".efspec-"
"""What the names of unfinished files start with."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A temporary path beside a target, which takes the target's place if all goes well.

    Raises:
        OSError: When the folder cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files for its owner's eyes only
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_lines(output: Path | None, lines: Iterable[str]) -> None:
    """Write lines to a file, or to standard output if there is none or it is `-`."""
    if output is None or str(output) == "-":
        for line in lines:
            typer.echo(line)
        return
    with replaced(output) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
