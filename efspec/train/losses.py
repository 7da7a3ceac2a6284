"""What a network is to make small: labels, and what a teacher says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from efspec.train.recipe import DistillationSpec, RecipeSpec

Logits = Tensor | tuple[Tensor, ...]
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

    def of(self, images: Tensor, target: Tensor) -> Callable[[Logits], Tensor]:
        """The mean loss of a batch, as a function of what a network gave for it.

        The teacher looks at the batch once, however many networks learn from it.

        Args:
            images: The images (B, C, H, W).
            target: Numbers of classes (B,), or probabilities (B, classes), smoothed already.
        """
        if self.teacher is None or self.distillation is None:
            return lambda logits: self._of_labels(logits, target)
        with torch.no_grad():
            told = self.teacher(images)
        wanted = self.distillation

        def both(logits: Logits) -> Tensor:
            first, second = logits if isinstance(logits, tuple) else (logits, logits)
            taught = distilled(second, told, wanted)
            return self._labels(first, target) * (1 - wanted.alpha) + taught * wanted.alpha

        return both

    def _of_labels(self, logits: Logits, target: Tensor) -> Tensor:
        if not isinstance(logits, tuple):
            return self._labels(logits, target)
        first, second = logits
        return (self._labels(first, target) + self._labels(second, target)) / 2

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
