"""The `.pt2` file of a network: what `torch.export` makes of its module."""

from __future__ import annotations

import io

import torch
from torch.export import Dim, ExportedProgram

from efspec.deploy import Weights
from efspec.errors import fail
from efspec.plan import Plan
from efspec.pytorch.build import build_module
from efspec.pytorch.reference import Array


def program(plan: Plan, weights: Weights, *, dynamic_batch: bool) -> ExportedProgram:
    """The module of a plan, in eval mode, as a graph of torch's operators.

    Args:
        plan: The network.
        weights: Its tensors by their names in the state dict; taken in single precision.
        dynamic_batch: Whether the batch may be of any size, and not only 1.

    Raises:
        EfspecError: When this torch cannot export it.
    """
    module = build_module(plan).eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    # A batch of one is taken to be meant as such; two stand for any number.
    x = torch.zeros(2 if dynamic_batch else 1, *plan.input)
    shapes = ({0: Dim("batch")},) if dynamic_batch else None
    try:
        return torch.export.export(module, (x,), dynamic_shapes=shapes)
    except Exception as error:  # its tracer and its checks each raise their own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise fail(
            "not-exportable",
            f"torch {torch.__version__} cannot export {plan.name}: {reason[0][:300]}",
            fix="try another version of torch, or build another target",
        ) from error


def encode(exported: ExportedProgram) -> bytes:
    """The bytes of its file."""
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    return buffer.getvalue()


def run(file: bytes, x: Array) -> tuple[Array, ...]:
    """What the program in a file gives for images (B, C, H, W)."""
    restored = torch.export.load(io.BytesIO(file)).module()
    with torch.inference_mode():
        result = restored(torch.from_numpy(x))
    return tuple(y.numpy() for y in (result if isinstance(result, tuple) else (result,)))
