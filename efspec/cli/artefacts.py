"""What `efspec build` writes, and the order that keeps a folder sound if it is interrupted."""

from __future__ import annotations

import hashlib
import json
import keyword
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from efspec.cli.files import TEMPORARY, locked, replace_together
from efspec.errors import fail, suggestion
from efspec.pytorch.seed import check_seed

if TYPE_CHECKING:
    from efspec.plan import Plan
    from efspec.pytorch.source import Source

TARGETS = ("code", "weights")
MANIFEST = "build.json"

Step = Callable[[str], None]
Entry = dict[str, str | int]
"""What `build.json` says of an artefact: `file`, `sha256` and `bytes`."""


def write_artefacts(
    plan: Plan,
    folder: Path,
    targets: tuple[str, ...],
    weights: Source | None,
    seed: int,
    step: Step = lambda description: None,
    remark: Step = lambda description: None,
) -> dict[str, Path]:
    """Write the artefacts of a plan, and then `build.json`, which lists them with their hashes.

    All files are written under temporary names, and then renamed: each is there as it was, or as
    it is to be, and where one cannot be written none is changed. While they are renamed the list
    is away, so that a folder with a list is a whole one; of several builds, one renames at a time.
    Artefacts of the same network that an earlier build left stay in the list.

    Args:
        plan: The network.
        folder: Where to.
        targets: What to write, of `TARGETS`.
        weights: A checkpoint in any known layout; None for initial weights.
        seed: Seed of the initial weights.
        step: Called at the start of each of `steps(targets)` steps with what it does.
        remark: Called with each thing that was done to a checkpoint besides renaming.

    Returns:
        The path of each artefact that was written, by target.

    Raises:
        EfspecError: When there is no target or an unknown one, a seed is out of range, a
            checkpoint is of another network, or the folder cannot be written.
    """
    check_targets(targets)
    check_seed(seed)
    try:
        if folder.exists() and not folder.is_dir():
            raise fail("not-a-folder", "it is a file, not a folder", file=str(folder))
        # Nothing is touched before all is made.
        contents = _contents(plan, targets, weights, seed, step, remark)
        step("writing files")
        _write(plan, folder, contents)
    except OSError as error:
        place = str(error.filename or folder)
        raise fail("cannot-access", error.strerror or str(error), file=place) from error
    except ValueError as error:  # a null byte, or half of a character
        if _is_path(folder):
            raise
        raise fail("cannot-access", "no folder can be called so", file=str(folder)) from error
    return {target: folder / name for target, (name, _) in contents.items()}


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


def steps(targets: tuple[str, ...]) -> int:
    """How many steps `write_artefacts` takes."""
    return 1 + ("code" in targets) + 2 * ("weights" in targets)


def file_stem(plan: Plan) -> str:
    """Name of a network's files without their ending; Python can import it."""
    stem = plan.name.replace("-", "_").replace(".", "_")
    hides = keyword.iskeyword(stem) or stem in sys.stdlib_module_names or stem == "torch"
    return f"{stem}_" if hides else stem


def _write(plan: Plan, folder: Path, contents: dict[str, tuple[str, bytes]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        for left_over in folder.glob(f"{TEMPORARY}*"):
            left_over.unlink(missing_ok=True)
        listing = json.dumps(_listing(plan, folder, contents), indent=2) + "\n"
        files = {folder / name: data for name, data in contents.values()}
        manifest = folder / MANIFEST
        replace_together({**files, manifest: listing.encode()}, manifest)


def _listing(plan: Plan, folder: Path, contents: dict[str, tuple[str, bytes]]) -> dict[str, object]:
    """What `build.json` is to say: what is to be written, and what is there and stays."""
    entries: dict[str, Entry] = {
        target: {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for target, (name, data) in contents.items()
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


def _sha256(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _contents(
    plan: Plan,
    targets: tuple[str, ...],
    weights: Source | None,
    seed: int,
    step: Step,
    remark: Step = lambda description: None,
) -> dict[str, tuple[str, bytes]]:
    """Name and bytes of each artefact."""
    contents: dict[str, tuple[str, bytes]] = {}
    stem = file_stem(plan)
    if "code" in targets:
        step("writing code")
        from efspec.codegen import generate

        contents["code"] = (f"{stem}.py", generate(plan).encode())
    if "weights" in targets:
        step("loading torch")
        import_module("torch")  # what takes long is shown as itself

        step("reading weights" if weights else "drawing initial weights")
        contents["weights"] = (f"{stem}.safetensors", _weights(plan, weights, seed, remark))
    return contents


def _weights(plan: Plan, weights: Source | None, seed: int, remark: Step) -> bytes:
    from efspec.pytorch.adapt import complete
    from efspec.pytorch.build import build_module
    from efspec.pytorch.checkpoints import encode, take

    if weights is None:
        return encode(plan, build_module(plan, seed).state_dict(), ".safetensors")
    adapted = take(plan, weights)
    for text in adapted.remarks():
        remark(text)
    return encode(plan, complete(plan, adapted, seed), ".safetensors")
