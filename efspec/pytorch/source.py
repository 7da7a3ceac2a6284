"""A checkpoint, and how to take it: what commands pass on before torch is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from efspec.pytorch.layouts import Layout

SUFFIXES = (".safetensors", ".pth", ".pt")
"""How the names of checkpoints that are written end; it decides their format."""


@dataclass(frozen=True)
class Source:
    """A checkpoint, and how to take it.

    Attributes:
        path: A `.pth`, `.pt` or `.safetensors` file.
        layout: How its tensors are named; None to take the layout that fits best.
        new_head: Whether the linear heads stay initial, whatever the checkpoint has.
        from_size: Height and width in pixels of the images that it was trained on; None to infer
            them from its attention biases.
    """

    path: Path
    layout: Layout | None = None
    new_head: bool = False
    from_size: tuple[int, int] | None = None
