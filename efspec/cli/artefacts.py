"""What `efspec build` writes, and the order that keeps a folder sound if it is interrupted."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from efspec.cli import targets as target_table
from efspec.cli.files import Content, locked, remove_left_overs, replace_together
from efspec.cli.targets import TARGETS, Ingredients, Made, file_name
from efspec.errors import fail, suggestion
from efspec.pytorch.seed import check_seed

if TYPE_CHECKING:
    from efspec.plan import Plan

MANIFEST = "build.json"
MARK = b"efspec.ops"
"""What a model of efspec's holds somewhere, and others do not."""

Entry = dict[str, str | int]
"""What `build.json` says of an artefact: `file`, `sha256` and `bytes`."""


class Written(NamedTuple):
    """An artefact on disk.

    Attributes:
        path: Where it is.
        size: Its bytes in all.
        check: How it was checked, and with what result; empty if it was not.
    """

    path: Path
    size: int
    check: str


def write_artefacts(of: Ingredients, folder: Path, targets: tuple[str, ...]) -> dict[str, Written]:
    """Write the artefacts of a network, and then `build.json`, which lists them with their hashes.

    All files are written under temporary names, and then renamed: each is there as it was, or as
    it is to be, and where one cannot be written none is changed. While they are renamed the list
    is away, so that a folder with a list is a whole one; of several builds, one renames at a time.
    Artefacts of the same network that an earlier build left stay in the list.

    Args:
        of: The network, its weights, and options; told of each of `steps(targets)` steps.
        folder: Where to.
        targets: What to write, of `TARGETS`; a card comes as a page, too.

    Returns:
        Each artefact, by target.

    Raises:
        EfspecError: When there is no target or an unknown one, a seed is out of range, a
            checkpoint is of another network, or the folder cannot be written.
    """
    check_targets(targets)
    targets = complete(targets)
    check_seed(of.seed)
    try:
        if folder.exists() and not folder.is_dir():
            raise fail("not-a-folder", "it is a file, not a folder", file=str(folder))
        # Nothing is touched before all is made.
        made = make(of, targets)
        of.step("writing files")
        _write(of.plan, folder, {target: one.data for target, one in made.items()})
    except OSError as error:
        place = str(error.filename or folder)
        raise fail("cannot-access", error.strerror or str(error), file=place) from error
    except ValueError as error:  # a null byte, or half of a character
        if _is_path(folder):
            raise
        raise fail("cannot-access", "no folder can be called so", file=str(folder)) from error
    return {
        target: Written(folder / file_name(of.plan, target), one.size, one.check)
        for target, one in made.items()
    }


def _is_path(path: Path) -> bool:
    """Whether a file system can take a path."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def check_targets(targets: tuple[str, ...]) -> None:
    """Refuse targets that there are not, and having none.

    Raises:
        EfspecError: When one is unknown, or there is none.
    """
    if not targets:
        raise fail("no-target", "no target is named", expected=", ".join(TARGETS))
    for target in targets:
        if target not in TARGETS:
            raise fail(
                "unknown-target",
                f"there is no target `{target}`",
                expected=", ".join(TARGETS),
                fix=suggestion(target, TARGETS),
            )


def complete(targets: tuple[str, ...]) -> tuple[str, ...]:
    """The targets with those that they bring along."""
    return (*targets, *(["page"] if "card" in targets else []))


def steps(targets: tuple[str, ...]) -> int:
    """How many steps `write_artefacts` takes."""
    return 1 + target_table.steps(complete(targets))


def make(of: Ingredients, targets: tuple[str, ...]) -> dict[str, Made]:
    """The content of each artefact, in the order of `TARGETS`.

    Raises:
        EfspecError: When one cannot be made.
    """
    for name in TARGETS:
        if name in targets:
            of.made[name] = TARGETS[name].make(of)
    return of.made


def _write(plan: Plan, folder: Path, contents: dict[str, Content]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        remove_left_overs(folder)
        listing = json.dumps(_listing(plan, folder, contents), indent=2) + "\n"
        files = {folder / file_name(plan, target): data for target, data in contents.items()}
        for path, data in files.items():
            if not isinstance(data, bytes):
                _check_ours(path)
        manifest = folder / MANIFEST
        replace_together({**files, manifest: listing.encode()}, manifest)


def _check_ours(path: Path) -> None:
    """Refuse to replace a folder that no build has written.

    Raises:
        EfspecError: When it may be someone's work.
    """
    if not path.exists():
        return
    model = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    if not (model.is_file() and MARK in model.read_bytes()):
        raise fail(
            "not-ours",
            "there is something else in the package's place, which is left as it is",
            file=str(path),
            fix="move it away, or write into another folder with -o",
        )


def _listing(plan: Plan, folder: Path, contents: dict[str, Content]) -> dict[str, object]:
    """What `build.json` is to say: what is to be written, and what is there and stays."""
    entries: dict[str, Entry] = {
        target: {
            "file": file_name(plan, target),
            "sha256": _digest(data),
            "bytes": Made(data).size,
        }
        for target, data in contents.items()
    }
    listed = {**_intact(folder / MANIFEST, plan), **entries}
    artefacts = {target: listed[target] for target in TARGETS if target in listed}
    return {"name": plan.name, "hash": plan.hash, "input": plan.input, "artefacts": artefacts}


def _intact(manifest: Path, plan: Plan) -> dict[str, Entry]:
    """The artefacts of a plan that a list names and that are as it says."""
    try:
        listing = json.loads(manifest.read_text(encoding="utf-8"))
        if listing["hash"] != plan.hash:
            return {}
        return {
            target: entry
            for target, entry in listing["artefacts"].items()
            if _sha256(manifest.parent / entry["file"]) == entry["sha256"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # no list, or no list of ours: nothing is known to be whole


def _digest(data: Content) -> str:
    """The sha256 of a file; of a folder, that of what `sha256sum` prints for its sorted files."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    return _of_folder({name: hashlib.sha256(one).hexdigest() for name, one in data.items()})


def _of_folder(files: dict[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _sha256(file: Path) -> str:
    if file.is_dir():
        inside = (path for path in file.rglob("*") if path.is_file())
        return _of_folder({path.relative_to(file).as_posix(): _sha256(path) for path in inside})
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
