"""Which seeds there are; known without torch, so that a wrong one is told at once."""

from __future__ import annotations

from efspec.errors import fail

MAX_SEED = 2**64 - 1
"""The largest seed that torch takes."""


def check_seed(seed: int) -> None:
    """Refuse what is no seed of torch's, or one that torch takes for another.

    Raises:
        EfspecError: When it is out of range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise fail("bad-seed", f"{seed} cannot be a seed", expected="an integer from 0 to 2^64 - 1")
