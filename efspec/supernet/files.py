"""Supernets as files: safetensors that say which space they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from efspec.errors import fail
from efspec.pytorch.checkpoints import read_checkpoint
from efspec.spec.space import Constraints, SpaceSpec
from efspec.spec.spaces import dump_space
from efspec.supernet.supernet import Supernet

SUFFIX = ".safetensors"
_KEY = "efspec-supernet"
"""Where the file says what it holds."""


def space_hash(space: SpaceSpec) -> str:
    """The sha256 of what a space says about its networks, in hexadecimal.

    What it is called, what is wanted of its networks and how often training drops their blocks
    leave the tensors of a supernet as they are, and the hash with them.
    """
    bare = space.model_copy(
        update={
            "name": "space",
            "description": "",
            "defaults": space.defaults.model_copy(update={"drop_path": 0.0}),
            "constraints": Constraints.model_construct(),
            "objective": None,
            "targets": (),
            "supernet": None,
        }
    )
    return hashlib.sha256(dump_space(bare).encode()).hexdigest()


def encode_supernet(supernet: Supernet, state: Mapping[str, Tensor] | None = None) -> bytes:
    """A file of a supernet's tensors, or of others that fit it; equal ones give equal bytes."""
    tensors = (supernet.state_dict() if state is None else state).items()
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors}
    return save(own, metadata={_KEY: _description(supernet)})


def load_supernet(supernet: Supernet, path: Path) -> None:
    """Fill a supernet with the tensors of a file, all or nothing.

    Args:
        supernet: The supernet.
        path: What `encode_supernet` gave, as a file.

    Raises:
        EfspecError: When the file cannot be read, or is of another space or kind of supernet.
    """
    state = read_checkpoint(path)
    wanted = _description(supernet)
    own = supernet.state_dict()
    fits = {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in state.items()}
    if _said(path) != wanted or not fits:
        raise fail(
            "other-supernet",
            f"it is no supernet of this kind and of the space {supernet.layout.space.name}",
            file=str(path),
            expected="a file that was written for the same space",
            fix="use the space it was trained for, or train another one",
        )
    supernet.load_state_dict(state)


def _description(supernet: Supernet) -> str:
    return f"{type(supernet).__name__.lower()} {space_hash(supernet.layout.space)}"


def _said(path: Path) -> str:
    """What a file says that it holds; nothing where it is of another format."""
    if path.suffix != SUFFIX:
        return ""
    with safe_open(path, "pt") as file:
        return str((file.metadata() or {}).get(_KEY, ""))
