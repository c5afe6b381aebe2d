"""Ctrl-C that is not lost. Python raises KeyboardInterrupt wherever it happens to be, and drops it in a destructor or
in a callback from C; a run asks here between units whether there was one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_seen = False


@contextmanager
def kept() -> Iterator[None]:
    """For the main thread of a program. Remembers SIGINT from here on."""
    global _seen
    _seen = False
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _seen
    _seen = True
    raise KeyboardInterrupt


def check() -> None:
    """KeyboardInterrupt if there was one."""
    if _seen:
        raise KeyboardInterrupt
