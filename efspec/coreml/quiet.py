"""Using coremltools without what it says beside its work."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_WARNINGS = (DeprecationWarning, FutureWarning, UserWarning)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what coremltools logs, warns of and draws, none of which a user can change.

    Off a Mac it logs at its import that each of its parts for macOS is missing, and everywhere
    that torch is newer than it knows; it draws a bar per pass. Errors are still logged.
    """
    log = logging.getLogger("coremltools")
    level, bars = log.level, os.environ.get("TQDM_DISABLE")
    log.setLevel(logging.ERROR)
    os.environ["TQDM_DISABLE"] = "1"  # it is read when bars are first imported, which is here
    try:
        with warnings.catch_warnings():
            for category in _WARNINGS:
                warnings.simplefilter("ignore", category)
            yield
    finally:
        log.setLevel(level)
        if bars is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = bars
