"""What `efspec build` writes, and the order that keeps a folder sound if it is interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from efspec.cli.files import TEMPORARY, replaced
from efspec.errors import fail, suggestion

if TYPE_CHECKING:
    from efspec.plan import Plan

TARGETS = ("code", "weights")
MANIFEST = "build.json"

Step = Callable[[str], None]


def write_artefacts(
    plan: Plan,
    folder: Path,
    targets: tuple[str, ...],
    weights: Path | None,
    seed: int,
    step: Step = lambda description: None,
) -> dict[str, Path]:
    """Write the artefacts of a plan, and then `build.json`, which lists them with their hashes.

    Each file is written under a temporary name and renamed: it is there as it was, or as it is to
    be. Until the list is written anew it is away, so that a folder with a list is a whole one.

    Args:
        plan: The network.
        folder: Where to.
        targets: What to write, of `TARGETS`.
        weights: A checkpoint in any known layout; None for initial weights.
        seed: Seed of the initial weights.
        step: Called at the start of each step with what it does.

    Raises:
        EfspecError: When a target is unknown or a checkpoint is of another network.
        OSError: When the folder cannot be written.
    """
    check_targets(targets)
    contents = _contents(
        plan, targets, weights, seed, step
    )  # nothing is touched before all is made
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(f"{TEMPORARY}*"):
        left_over.unlink(missing_ok=True)
    manifest = folder / MANIFEST
    manifest.unlink(missing_ok=True)
    paths = {}
    for target, (name, data) in contents.items():
        paths[target] = folder / name
        with replaced(paths[target]) as temporary:
            temporary.write_bytes(data)
    listing = {
        "name": plan.name,
        "hash": plan.hash,
        "input": plan.input,
        "artefacts": {
            target: {
                "file": name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
            for target, (name, data) in contents.items()
        },
    }
    with replaced(manifest) as temporary:
        temporary.write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")
    return paths


def check_targets(targets: tuple[str, ...]) -> None:
    """Refuse targets that there are not.

    Raises:
        EfspecError: When one is unknown.
    """
    for target in targets:
        if target not in TARGETS:
            raise fail(
                "unknown-target",
                f"there is no target `{target}`",
                expected=", ".join(TARGETS),
                fix=suggestion(target, TARGETS),
            )


def file_stem(plan: Plan) -> str:
    """Name of a network's files without their ending; Python can import it."""
    return plan.name.replace("-", "_").replace(".", "_")


def _contents(
    plan: Plan, targets: tuple[str, ...], weights: Path | None, seed: int, step: Step
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
        import torch  # noqa: F401  what takes long is shown as itself

        step("reading weights" if weights else "drawing initial weights")
        contents["weights"] = (f"{stem}.safetensors", _weights(plan, weights, seed))
    return contents


def _weights(plan: Plan, weights: Path | None, seed: int) -> bytes:
    from safetensors.torch import save

    from efspec.pytorch.build import build_module
    from efspec.pytorch.checkpoints import adapt, read_checkpoint

    if weights is None:
        state = build_module(plan, seed).state_dict()
    else:
        state = adapt(plan, read_checkpoint(weights), file=str(weights))
    tensors = {key: tensor.contiguous() for key, tensor in state.items()}
    return save(tensors, metadata={"efspec": plan.hash})
