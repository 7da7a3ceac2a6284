"""Training networks: recipes, data, parameter groups and the loop."""

from efspec.train.recipe import RecipeSpec
from efspec.train.recipes import dump_recipe, read_recipe, shipped_recipes

__all__ = ["RecipeSpec", "dump_recipe", "read_recipe", "shipped_recipes"]
