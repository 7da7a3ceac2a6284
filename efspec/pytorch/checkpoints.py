"""Checkpoints as files: reading them, all or nothing, and writing them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from efspec.errors import fail
from efspec.plan import Plan
from efspec.pytorch.adapt import Adapted, adapt, listed
from efspec.pytorch.claims import too_much
from efspec.pytorch.source import Source

_WRAPPERS = ("model", "state_dict", "model_state_dict", "module")
"""Keys under which training scripts put the weights."""
_DERIVED = ("attention_bias_idxs", "attention_bias_idxs_seg", ".ab")
"""Index tables that the authors' code stores; they follow from the sizes."""
_TYPES = frozenset(
    {torch.float16, torch.bfloat16, torch.float32, torch.float64}
    | {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool}
)
"""Types that every file format holds and every operation takes."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth`, `.pt` or `.safetensors` file, by name.

    Nothing in the file is executed. Wrappers of training scripts (`model`, `state_dict`, ...) and
    the `module.` prefix of distributed training are taken off; index tables that follow from the
    sizes are left out.

    Raises:
        EfspecError: When the file cannot be read, is no mapping of names to tensors, or holds
            tensors that no network has.
    """
    if not path.is_file():
        raise fail("no-such-checkpoint", "there is no such file", file=str(path))
    try:
        found = too_much(path)
        content: Any = None if found else _read(path)
    except Exception as error:  # a damaged file can fail anywhere in the readers
        raise fail(
            "unreadable-checkpoint",
            f"no reader takes it: {_reason(error)}",
            file=str(path),
            expected="tensors by name, as torch.save or safetensors writes them, without code",
            fix="save `model.state_dict()` instead of the whole model",
        ) from error
    if found:
        fix = "save `model.state_dict()` again, with torch.save or safetensors"
        raise fail("unreadable-checkpoint", found, file=str(path), fix=fix)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not (isinstance(content, Mapping) and content) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise fail(
            "no-state-dict",
            "the file holds something other than tensors by name",
            file=str(path),
            fix="save `model.state_dict()`",
        )
    if unusable := [key for key, value in content.items() if not _is_usable(value)]:
        raise fail(
            "unusable-tensors",
            listed(unusable),
            file=str(path),
            expected="dense tensors of floating-point numbers or integers",
            fix="save the model as it was before it was quantised or packed",
        )
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return {key: value for key, value in content.items() if not key.endswith(_DERIVED)}


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        return load_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how things used to be saved; the user only reads
        return torch.load(path, map_location="cpu", weights_only=True)


def _is_usable(tensor: Tensor) -> bool:
    dense = tensor.layout == torch.strided and not tensor.is_nested
    # Some files hold shapes only, on the device `meta`.
    if not (dense and tensor.device.type == "cpu" and tensor.dtype in _TYPES):
        return False
    # A small file may say that its few values are to be repeated a billion times.
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def encode(plan: Plan, state: Mapping[str, Tensor], suffix: str) -> bytes:
    """A file of tensors by name, of the kind that its suffix says; equal ones give equal bytes.

    Args:
        plan: The network that they are of; safetensors carry its hash.
        state: The tensors.
        suffix: One of `SUFFIXES`.
    """
    # Neither views into larger tensors nor parameters: a file holds what it is said to.
    plain = {
        key: tensor.detach().clone(memory_format=torch.contiguous_format)
        for key, tensor in state.items()
    }
    if suffix == ".safetensors":
        return save(plain, metadata={"efspec": plan.hash})
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    return buffer.getvalue()


def take(plan: Plan, source: Source) -> Adapted:
    """A checkpoint's tensors for a network.

    Raises:
        EfspecError: When the file cannot be read, or does not hold the network.
    """
    state = read_checkpoint(source.path)
    file, new_head, from_size = str(source.path), source.new_head, source.from_size
    return adapt(plan, state, source.layout, file, new_head=new_head, from_size=from_size)


def load_weights(module: nn.Module, plan: Plan, source: Source) -> Adapted:
    """Fill a built module with a checkpoint's weights, and tell what that took.

    Args:
        module: A module built from the plan.
        plan: The network.
        source: The checkpoint. What it need not hold stays as the module has it.

    Raises:
        EfspecError: When the file does not hold this network; the module is untouched.
    """
    adapted = take(plan, source)
    own = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    if own != {**plan.parameters(), **plan.buffers()}:
        raise fail(
            "wrong-module",
            f"the module is not one of {plan.name}",
            fix="build it from the spec that its weights are loaded for",
        )
    module.load_state_dict(module.state_dict() | adapted.state, strict=True)
    return adapted


def _reason(error: Exception) -> str:
    """The first line of what a reader says; some say only what they stumbled on."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
