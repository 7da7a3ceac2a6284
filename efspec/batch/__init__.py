"""Many specs at once: what search programs emit by the million."""

from efspec.batch.summary import summarise

__all__ = ["summarise"]
