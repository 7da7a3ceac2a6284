"""How many threads PyTorch runs networks with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run on a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run on one thread, as befits a few single images.

    More would save less than a second where there is nothing else to do. On a machine that is
    busy they wait for each other at every layer, and what takes seconds takes minutes.
    """
    with threads(1):
        yield
