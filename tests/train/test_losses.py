"""What heads learn from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from efspec.train.losses import Loss, distilled
from efspec.train.recipe import DistillationSpec
from tests.train import networks

IMAGES = torch.zeros(4, 1, 8, 8)
LABELS = torch.tensor([0, 1, 2, 1])
FIRST, SECOND, TOLD = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))


class Teacher(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return TOLD[: len(images)]


def test_both_heads_learn_the_labels_without_a_teacher() -> None:
    loss = Loss(networks.recipe())
    one, other = (functional.cross_entropy(x, LABELS) for x in (FIRST, SECOND))
    assert loss.of(IMAGES, LABELS)((FIRST, SECOND)) == (one + other) / 2
    assert loss.of(IMAGES, LABELS)(FIRST) == one


def test_the_second_head_learns_the_class_that_a_teacher_says() -> None:
    loss = Loss(networks.recipe(distillation={"alpha": 0.25}), Teacher())
    labels = functional.cross_entropy(FIRST, LABELS)
    taught = functional.cross_entropy(SECOND, TOLD.argmax(dim=1))
    assert loss.of(IMAGES, LABELS)((FIRST, SECOND)) == labels * 0.75 + taught * 0.25


def test_one_head_learns_from_both() -> None:
    loss = Loss(networks.recipe(distillation={"alpha": 0.25}), Teacher())
    labels = functional.cross_entropy(FIRST, LABELS)
    taught = functional.cross_entropy(FIRST, TOLD.argmax(dim=1))
    assert loss.of(IMAGES, LABELS)(FIRST) == labels * 0.75 + taught * 0.25


def test_labels_are_smoothed_once() -> None:
    loss = Loss(networks.recipe(label_smoothing=0.3))
    smoothed = functional.cross_entropy(FIRST, LABELS, label_smoothing=0.3)
    assert loss.of(IMAGES, LABELS)(FIRST) == smoothed
    probabilities = functional.one_hot(LABELS, 3) * 0.7 + 0.1
    torch.testing.assert_close(loss.of(IMAGES, probabilities)(FIRST), smoothed)


def test_soft_distillation_ends_where_the_teacher_is() -> None:
    wanted = DistillationSpec(kind="soft", tau=2.0)
    assert distilled(TOLD, TOLD, wanted) == 0
    assert distilled(FIRST, TOLD, wanted) > 0
