"""Networks that others learn from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from timm import create_model

from efspec.errors import EfspecError
from efspec.pytorch.build import build_module
from efspec.pytorch.source import Source
from efspec.train.teacher import teacher_of_spec, teacher_of_timm
from tests.train import networks

IMAGES = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
NAME = "test_efficientnet"


def test_a_network_of_efspec_says_what_it_says_in_inference(tmp_path: Path) -> None:
    module = build_module(networks.plan(), seed=3).eval()
    torch.save(module.state_dict(), tmp_path / "teacher.pth")
    teacher = teacher_of_spec(networks.plan(), Source(tmp_path / "teacher.pth"), 10)
    assert torch.equal(teacher(IMAGES), module(IMAGES))


def test_a_model_of_timm_says_what_it_says(tmp_path: Path) -> None:
    module = create_model(NAME, in_chans=1, num_classes=10).eval()
    torch.save(module.state_dict(), tmp_path / "teacher.pth")
    teacher = teacher_of_timm(NAME, 1, 10, tmp_path / "teacher.pth")
    assert torch.equal(teacher(IMAGES), module(IMAGES))


@pytest.mark.parametrize("classes", [3, 1000])
def test_teachers_of_other_classes_are_refused(classes: int, tmp_path: Path) -> None:
    torch.save(build_module(networks.plan()).state_dict(), tmp_path / "own.pth")
    with pytest.raises(
        EfspecError, match=f"has 10 classes, and what it is to teach has {classes:,}"
    ):
        teacher_of_spec(networks.plan(), Source(tmp_path / "own.pth"), classes)
    torch.save(create_model(NAME, num_classes=10).state_dict(), tmp_path / "timm.pth")
    with pytest.raises(EfspecError, match="no-teacher"):
        teacher_of_timm(NAME, 3, classes, tmp_path / "timm.pth")
