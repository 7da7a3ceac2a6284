"""What detection and segmentation code writes: a backbone among other parts, under odd names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

TRAINED = "attention_biases_seg"
"""What the authors' detection and segmentation code calls the biases that it trains.

Its `attention_biases` have the classifier's size, and are there only to be loaded with one.
"""
_BACKBONE = "backbone."


def backbone(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a detector's backbone, and the keys of the others; else all, and none."""
    others = [key for key in state if not key.startswith(_BACKBONE)]
    if len(others) == len(state):
        return dict(state), []
    inside = {
        key.removeprefix(_BACKBONE): tensor
        for key, tensor in state.items()
        if key.startswith(_BACKBONE)
    }
    return inside, others


def is_dense(state: Mapping[str, Tensor]) -> bool:
    """Whether the authors' code for dense prediction wrote it, and not that for classification."""
    return any(key.endswith(TRAINED) for key in state)


def with_trained_biases(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, with the biases that were trained in the place of those that were not."""
    trained = {key.removesuffix("_seg"): key for key in state if key.endswith(TRAINED)}
    others = {key: tensor for key, tensor in state.items() if not key.endswith(TRAINED)}
    return others | {key: state[seg] for key, seg in trained.items()}
