"""Few do it at a time, some wait, the others are sent away: drawing a page takes a process and up to 1.5 GB."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from labse_search.errors import UserError
from labse_search.ui.strings import text

AT_ONCE, WAITING, WAIT_SECONDS = 2, 4, 15.0


class Busy(UserError):
    """Too many ask at the same time."""


class ConcurrencyLimit:
    """`at_once` work, `waiting` more wait, at most `seconds`; whoever comes beyond is Busy."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, seconds: float = WAIT_SECONDS) -> None:
        self._working = threading.BoundedSemaphore(at_once)
        self._inside = threading.BoundedSemaphore(at_once + waiting)
        self._seconds = seconds

    @contextmanager
    def take(self) -> Iterator[None]:
        """One's turn, after some waiting. Busy if that would take too long."""
        if not self._inside.acquire(blocking=False):
            raise Busy(text("later"))
        try:
            if not self._working.acquire(timeout=self._seconds):
                raise Busy(text("later"))
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._inside.release()
