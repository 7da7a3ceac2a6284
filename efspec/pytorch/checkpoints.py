"""Reading checkpoints, in any layout, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from efspec.errors import Diagnostic, EfspecError, fail
from efspec.plan import Plan
from efspec.pytorch.layouts import LAYOUTS, Layout, tensors

_WRAPPERS = ("model", "state_dict", "model_state_dict", "module")
"""Keys under which training scripts put the weights."""
_DERIVED = ("attention_bias_idxs", "attention_bias_idxs_seg", ".ab")
"""Index tables that the authors' code stores; they follow from the sizes."""
_SHOWN = 12
"""How many keys of a kind a diagnostic lists before it counts the rest."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth`, `.pt` or `.safetensors` file, by name.

    Nothing in the file is executed. Wrappers of training scripts (`model`, `state_dict`, ...) and
    the `module.` prefix of distributed training are taken off; index tables that follow from the
    sizes are left out.

    Raises:
        EfspecError: When the file cannot be read, or is no mapping of names to tensors.
    """
    if not path.is_file():
        raise fail("no-such-checkpoint", "there is no such file", file=str(path))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere in the readers
        raise fail(
            "unreadable-checkpoint",
            f"no reader takes it: {_reason(error)}",
            file=str(path),
            expected="tensors by name, as torch.save or safetensors writes them, without code",
            fix="save `model.state_dict()` instead of the whole model",
        ) from error
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
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return {key: value for key, value in content.items() if not key.endswith(_DERIVED)}


def adapt(
    plan: Plan, state: Mapping[str, Tensor], layout: Layout | None = None, file: str = ""
) -> dict[str, Tensor]:
    """The tensors of a checkpoint under efspec's own names, complete and of the right shapes.

    Args:
        plan: The network.
        state: Tensors by their names in the checkpoint.
        layout: How they are named; None to take the layout that fits best.
        file: Where they come from, for diagnostics.

    Raises:
        EfspecError: When keys are missing, extra or misshapen; all of them are listed.
    """
    layout = layout or detect(plan, state)
    wanted = tensors(plan, layout)
    known = {tensor.key for tensor in wanted.values()}
    problems = {
        "missing-keys": [t.key for t in wanted.values() if t.key not in state],
        "extra-keys": [key for key in state if key not in known],
        "misshapen-keys": [
            f"{t.key} is {tuple(state[t.key].shape)}, not {t.shape}"
            for t in wanted.values()
            if t.key in state and tuple(state[t.key].shape) != t.shape
        ],
    }
    if any(problems.values()):
        raise EfspecError(
            Diagnostic(
                name=name,
                message=_listed(keys),
                file=file,
                expected=f"the weights of {plan.name}, in the {layout} layout",
                fix=_FIXES[name],
            )
            for name, keys in problems.items()
            if keys
        )
    own = {**plan.parameters(), **plan.buffers()}
    return {key: state[tensor.key].reshape(own[key]) for key, tensor in wanted.items()}


def detect(plan: Plan, state: Mapping[str, Tensor]) -> Layout:
    """The layout in which most of a checkpoint's names are names of the network's tensors."""

    def hits(layout: Layout) -> int:
        return sum(tensor.key in state for tensor in tensors(plan, layout).values())

    return max(LAYOUTS, key=hits)


def load_weights(module: nn.Module, plan: Plan, path: Path, layout: Layout | None = None) -> Layout:
    """Fill a built module with a checkpoint's weights; gives the layout that they were in.

    Args:
        module: A module built from the plan.
        plan: The network.
        path: A `.pth`, `.pt` or `.safetensors` file.
        layout: How its tensors are named; None to take the layout that fits best.

    Raises:
        EfspecError: When the file does not hold exactly this network; the module is untouched.
    """
    state = read_checkpoint(path)
    layout = layout or detect(plan, state)
    adapted = adapt(plan, state, layout, str(path))
    own = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    if own != {key: tuple(tensor.shape) for key, tensor in adapted.items()}:
        raise fail(
            "wrong-module",
            f"the module is not one of {plan.name}",
            fix="build it from the spec that its weights are loaded for",
        )
    module.load_state_dict(adapted, strict=True)
    return layout


_FIXES = {
    "missing-keys": "check that the checkpoint and the spec are of one network",
    "extra-keys": "check that the checkpoint and the spec are of one network",
    "misshapen-keys": "check the widths, the input size and the number of classes of the spec",
}


def _reason(error: Exception) -> str:
    """The first line of what a reader says; some say only what they stumbled on."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _listed(keys: list[str]) -> str:
    shown = "\n    ".join(keys[:_SHOWN])
    more = f"\n    and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} {'key' if len(keys) == 1 else 'keys'}:\n    {shown}{more}"
