"""Recipes: what is shipped, and reading and writing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from efspec.errors import EfspecError
from efspec.train.recipes import changed, dump_recipe, read_recipe, shipped_recipes


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes_read_and_write(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    assert read_recipe(file) == recipe == read_recipe(f"train/{name}")


def test_v1_is_as_published() -> None:
    """The facts of section 1.8 of what is known."""
    recipe = read_recipe("v1")
    assert recipe.batch == 3072
    assert recipe.lr == pytest.approx(3e-3)
    assert recipe.all_epochs == 310
    augmentation = recipe.augmentation
    assert (augmentation.mixup, augmentation.cutmix, augmentation.erasing) == (0.8, 1.0, 0.25)
    assert recipe.optimizer.clip is not None
    assert (recipe.optimizer.clip.mode, recipe.optimizer.clip.value) == ("agc", 0.01)


def test_v2_differs_from_v1_in_the_batch_only() -> None:
    words = {"name", "description", "batch"}
    assert read_recipe("v1").model_dump(exclude=words) == read_recipe("v2").model_dump(
        exclude=words
    )


def test_a_change_is_checked() -> None:
    assert changed(read_recipe("small"), epochs=3).epochs == 3
    with pytest.raises(EfspecError, match="the warm-up of 5 epochs is longer"):
        changed(read_recipe("v1"), epochs=4)
