"""Writing files: under a temporary name first, then renamed, so that none is ever half there."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

TEMPORARY = ".efspec-"
"""What the names of unfinished files start with."""

Content = bytes | Mapping[str, bytes]
"""What a file is to hold, or the files of a folder by their paths in it."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A temporary path beside a target, which takes the target's place if all goes well.

    What a link points to is replaced, not the link. Devices and pipes cannot be replaced: they
    are given as they are, to be written to.

    Raises:
        OSError: When the target cannot be written; it names the target or its folder.
    """
    with _unfinished(target) as (temporary, place):
        yield temporary
        _finish(temporary, place)


def replace_together(files: Mapping[Path, Content], listing: Path) -> None:
    """Write files of which one lists the others: all of them, or none where one cannot be written.

    The list is away while files take their places, so that one that is there is a true one. A
    folder takes its place as a whole; the one before is gone for a moment.

    Args:
        files: What each file or folder is to hold; the list is the last.
        listing: The file that lists the others.

    Raises:
        OSError: When one cannot be written; it names the file or its folder.
    """
    with ExitStack() as stack:
        pairs = []
        for target, data in files.items():
            if isinstance(data, bytes):
                pairs.append(stack.enter_context(_unfinished(target)))
                pairs[-1][0].write_bytes(data)
            else:
                pairs.append((stack.enter_context(_unfinished_folder(target)), target))
                _fill(pairs[-1][0], data)
        listing.unlink(missing_ok=True)
        for temporary, place in pairs:
            _finish(temporary, place)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder from others that lock it; a process that ends in any way lets go of it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # nor have some network file systems
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _unfinished(target: Path) -> Iterator[tuple[Path, Path]]:
    """A temporary path, and the path whose place it is to take."""
    import tempfile

    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
    if target.exists() and not target.is_file():
        yield target, target
        return
    if target.is_symlink():
        link, target = target, Path(os.path.realpath(target))
        if target.is_symlink():  # they lead in a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(link))
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    except OSError as error:  # it names the temporary file, of which the user knows nothing
        raise OSError(error.errno, error.strerror, str(target.parent)) from None
    temporary = Path(name)
    try:
        os.close(handle)
        temporary.chmod(mode)  # mkstemp makes files for its owner's eyes only
        yield temporary, target
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _unfinished_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside one whose place it is to take."""
    import shutil
    import tempfile

    try:
        name = tempfile.mkdtemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    except OSError as error:  # it names the temporary folder, of which the user knows nothing
        raise OSError(error.errno, error.strerror, str(target.parent)) from None
    temporary = Path(name)
    try:
        temporary.chmod(0o777 & ~_umask())
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _finish(temporary: Path, place: Path) -> None:
    if temporary == place:
        return
    if temporary.is_dir() and place.exists():  # a folder that holds something is not replaced
        with _unfinished_folder(place) as aside:
            place.replace(aside / place.name)
            temporary.replace(place)
        return
    temporary.replace(place)


def remove_left_overs(folder: Path) -> None:
    """Remove what builds of a folder left that were interrupted."""
    import shutil

    for left_over in folder.glob(f"{TEMPORARY}*"):
        if left_over.is_dir() and not left_over.is_symlink():
            shutil.rmtree(left_over, ignore_errors=True)
        else:
            left_over.unlink(missing_ok=True)


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
