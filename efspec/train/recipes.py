"""Finding recipes by shipped name or file, and reading and writing them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from efspec.errors import fail, suggestion
from efspec.resources import folder
from efspec.spec.files import decode
from efspec.spec.reading import part_of, read_part
from efspec.train.recipe import RecipeSpec


@cache
def shipped_recipes() -> dict[str, Path]:
    """The file of each shipped recipe by its name."""
    return {file.stem: file for file in sorted((folder("specs") / "train").glob("*.yaml"))}


def read_recipe(source: str | Path) -> RecipeSpec:
    """The recipe of a shipped name, `v2` or `train/v2`, or of a file.

    Raises:
        EfspecError: When there is none, or with every mistake of it.
    """
    shipped = shipped_recipes().get(str(source).removeprefix("train/"))
    try:
        path = shipped or (Path(source) if source and Path(source).is_file() else None)
    except (OSError, ValueError):  # too long for a file system, or with a null byte
        path = None
    if path is None:
        raise fail(
            "no-such-recipe",
            f"{ascii(str(source))[:100]} is no shipped recipe and no file",
            expected=f"a file, or one of {', '.join(shipped_recipes())}",
            fix=suggestion(str(source)[:100], shipped_recipes()),
        )
    return read_part(path, RecipeSpec)


def changed(recipe: RecipeSpec, **fields: Any) -> RecipeSpec:
    """A recipe with other values of some fields.

    Raises:
        EfspecError: When they do not fit.
    """
    return part_of(decode(_text(recipe.model_copy(update=fields)), recipe.name), RecipeSpec)


def dump_recipe(recipe: RecipeSpec) -> str:
    """The text of a recipe with every field, which reads as an equal one."""
    return _text(recipe).decode()


def _text(recipe: RecipeSpec) -> bytes:
    lines = [
        f"{name}: {json.dumps(value)}" for name, value in recipe.model_dump(mode="json").items()
    ]
    return ("\n".join(lines) + "\n").encode()
