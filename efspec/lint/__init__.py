"""What is known to slow networks down on devices, and what to write instead."""

from efspec.lint.lint import lint
from efspec.lint.rule import Certainty, Finding, Rule
from efspec.lint.rules import RULES

__all__ = ["RULES", "Certainty", "Finding", "Rule", "lint"]
