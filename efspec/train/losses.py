"""What a network is to make small: labels, and what a teacher says."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from efspec.train.recipe import DistillationSpec, RecipeSpec

Logits = Tensor | tuple[Tensor, Tensor]
"""Of one head (B, classes), or in training of both: the one for labels and the one for teachers."""


class Loss:
    """The loss of a batch.

    A network with two heads is trained in both. With a teacher, the second learns from it alone;
    without one, both learn the labels, since they are averaged in inference. A network with one
    head learns from both in it.

    References:
        https://arxiv.org/abs/2012.12877
    """

    def __init__(self, recipe: RecipeSpec, teacher: nn.Module | None = None) -> None:
        self.smoothing = recipe.label_smoothing
        self.distillation = recipe.distillation if teacher is not None else None
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None

    def __call__(self, images: Tensor, logits: Logits, target: Tensor) -> Tensor:
        """The mean loss of a batch.

        Args:
            images: The images (B, C, H, W), for the teacher.
            logits: What the network gave for them.
            target: Numbers of classes (B,), or probabilities (B, classes), smoothed already.
        """
        first, second = logits if isinstance(logits, tuple) else (logits, logits)
        if self.teacher is None or self.distillation is None:
            if first is second:
                return self._labels(first, target)
            return (self._labels(first, target) + self._labels(second, target)) / 2
        with torch.no_grad():
            told = self.teacher(images)
        alpha = self.distillation.alpha
        taught = distilled(second, told, self.distillation)
        return self._labels(first, target) * (1 - alpha) + taught * alpha

    def _labels(self, logits: Tensor, target: Tensor) -> Tensor:
        smoothing = 0.0 if target.is_floating_point() else self.smoothing
        return functional.cross_entropy(logits.float(), target, label_smoothing=smoothing)


def distilled(logits: Tensor, told: Tensor, wanted: DistillationSpec) -> Tensor:
    """How far logits (B, classes) are from what a teacher says of the same images."""
    logits, told = logits.float(), told.float()
    if wanted.kind == "hard":
        return functional.cross_entropy(logits, told.argmax(dim=1))
    tau = wanted.tau
    own, theirs = (functional.log_softmax(x / tau, dim=1) for x in (logits, told))
    # The gradient of a temperature falls with its square; this keeps the share of `alpha`.
    return functional.kl_div(own, theirs, reduction="batchmean", log_target=True) * tau**2
