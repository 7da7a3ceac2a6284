"""Searching spaces: candidates by the million, and what they cost."""

from efspec.search.arrays import Candidates, sampled
from efspec.search.compiled import CompiledSpace, Figures, compiled

__all__ = ["Candidates", "CompiledSpace", "Figures", "compiled", "sampled"]
