"""Code generation: a plan as the PyTorch file that a good engineer would have written."""

from efspec.codegen.naming import class_name
from efspec.codegen.render import GENERATED_FORMAT, generate

__all__ = ["GENERATED_FORMAT", "class_name", "generate"]
