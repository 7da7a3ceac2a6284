"""The folder of a search: what was asked, and every evaluation as it comes.

Evaluations are on the disk before they are used, so that nothing is lost by whatever ends a run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from efspec.errors import Diagnostic, EfspecError, fail

if TYPE_CHECKING:
    from efspec.search.runs import Settings
    from efspec.spec.candidates import Candidate

EVALUATIONS, SETTINGS, STEPS = "evaluations.jsonl", "run.json", "steps.jsonl"


def read_evaluations(file: Path) -> Iterator[tuple[Candidate, float]]:
    """The accuracies in a file, by candidate; a last line that was not finished is left out."""
    from efspec.search.runs import candidate_from_list

    if not file.exists():
        return
    for line in file.read_bytes().split(b"\n")[:-1]:
        try:
            data = json.loads(line)
            yield candidate_from_list(data["candidate"]), float(data["accuracy"])
        except (ValueError, KeyError, TypeError):
            raise fail(
                "damaged-run",
                "a line of it is no evaluation",
                file=str(file),
                fix="remove the line, and go on with --resume",
            ) from None


def begin(folder: Path, settings: Settings, *, resume: bool) -> None:
    """Make the run's folder, or see that it is of the same run.

    Raises:
        EfspecError: When it is not, or there is a run and it is not to be gone on with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / SETTINGS
    asked = settings.as_dict()
    if not file.exists():
        if any(folder.iterdir()):
            raise fail(
                "not-ours",
                "the folder holds something else than a run",
                file=str(folder),
                fix="name another folder with -o",
            )
        write_whole(file, json.dumps(asked, indent=2) + "\n")
        return
    if not resume:
        raise fail(
            "run-exists",
            "there is a run in the folder",
            file=str(folder),
            fix="go on with it by --resume, or name another folder with -o",
        )
    try:
        before = json.loads(file.read_text())
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise fail("damaged-run", "it does not say what the run is", file=str(file))
    other = [
        name for name, value in json.loads(json.dumps(asked)).items() if before.get(name) != value
    ]
    if other:
        raise EfspecError(
            Diagnostic(
                "other-run",
                f"the run was begun with {json.dumps(before.get(name))[:100]}",
                field=name,
                file=str(file),
                fix="go on with the same, or name another folder with -o",
            )
            for name in other
        )


def write_whole(file: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, file)


@contextmanager
def appending(file: Path) -> Iterator[Callable[[str], None]]:
    """Append lines to a file, each on the disk before the next step; a torn end is cut off."""
    data = file.read_bytes() if file.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    with file.open("r+b" if file.exists() else "w+b") as stream:
        stream.truncate(len(whole))
        stream.seek(len(whole))

        def write(line: str) -> None:
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

        yield write


@contextmanager
def rewriting(file: Path) -> Iterator[Callable[[str], None]]:
    """Write the lines of a file anew; see `appending`."""
    file.unlink(missing_ok=True)
    with appending(file) as write:
        yield write
