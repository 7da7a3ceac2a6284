"""Using coremltools without what it says beside its work."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod

_WARNINGS = (DeprecationWarning, FutureWarning, UserWarning, ResourceWarning)
"""The last of the folders under temporary names that it leaves Python to clear away."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what coremltools logs, warns of and draws, none of which a user can change.

    Off a Mac it logs at its import that each of its parts for macOS is missing, and everywhere
    that torch is newer than it knows; it draws a bar per pass. Errors are still logged.
    """
    log = logging.getLogger("coremltools")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _without_bars():
            for category in _WARNINGS:
                warnings.simplefilter("ignore", category)
            yield
    finally:
        log.setLevel(level)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Draw none of tqdm's bars; its own switch only works before tqdm is imported, by anyone."""
    try:
        from tqdm import tqdm
    except ImportError:  # it comes with coremltools
        yield
        return
    draw = tqdm.__init__
    tqdm.__init__ = partialmethod(draw, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = draw
