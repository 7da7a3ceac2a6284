"""Ctrl-C, which some libraries take for an error of theirs, and go on half loaded."""

from __future__ import annotations

import signal
import threading
from types import FrameType

EXIT = 130
"""What shells say of a process that Ctrl-C has ended."""

_seen = threading.Event()


def listen() -> None:
    """Remember from now on that Ctrl-C was pressed, besides stopping what is being done."""
    _seen.clear()
    in_charge = threading.current_thread() is threading.main_thread()
    if in_charge and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _take)


def seen() -> bool:
    """Whether Ctrl-C was pressed."""
    return _seen.is_set()


def stop_if_seen() -> None:
    """Stop if Ctrl-C was pressed and something went on all the same.

    Raises:
        KeyboardInterrupt: When it was.
    """
    if seen():
        raise KeyboardInterrupt


def _take(number: int, frame: FrameType | None) -> None:
    _seen.set()
    signal.default_int_handler(number, frame)
