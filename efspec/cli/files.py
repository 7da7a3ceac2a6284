"""Writing files: under a temporary name first, then renamed, so that none is ever half there."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".efspec-"
"""What the names of unfinished files start with."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A temporary path beside a target, which takes the target's place if all goes well.

    What a link points to is replaced, not the link. Devices and pipes cannot be replaced: they
    are given as they are, to be written to.

    Raises:
        OSError: When the target cannot be written; it names the target or its folder.
    """
    import tempfile

    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
    if target.exists() and not target.is_file():
        yield target
        return
    target = target.resolve() if target.is_symlink() else target
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    except OSError as error:  # it names the temporary file, of which the user knows nothing
        raise OSError(error.errno, error.strerror, str(target.parent)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)  # mkstemp makes files for its owner's eyes only
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_lines(output: Path | None, lines: Iterable[str]) -> None:
    """Write lines to a file, or to standard output if there is none or it is `-`."""
    if output is None or str(output) == "-":
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    with replaced(output) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
