"""Query priority, also against other processes: whoever encodes in bulk asks between layers whether a query waits.

Two processes that both use all cores slow each other down far more than by half (their threads wait for one another:
a query of 42 ms was measured at 925 ms), so taking turns beats sharing. A lock on a file is the sign: queries hold it
together, bulk work waits until none does. Without file locks (Windows) nobody waits for anybody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

# Under queries without end, bulk work that has waited so long, all waits together, goes on for so long without asking:
# it asks at every layer, and a layer a query was a hundredth of its speed.
LONGEST_WAIT_SECONDS, SHARE_SECONDS = 2.0, 0.5
_STEP_SECONDS = 0.001


class QueryPriority:
    """One file for all who share a machine's cores; its content is nothing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._bulk = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._asks_again = 0.0  # by time.monotonic()
        self._waited = 0.0  # seconds, since it last went on without asking

    @contextmanager
    def query(self) -> Iterator[None]:
        """While a query is being encoded."""
        own = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)  # a lock belongs to an opening: one per query
        try:
            if fcntl is not None:
                fcntl.flock(own, fcntl.LOCK_SH)
            yield
        finally:
            os.close(own)

    def wait_for_queries(self) -> None:
        """Return as soon as no query is being encoded, or once all waits came to two seconds, and then at once for half
        a second: for `check_cancelled` of bulk work."""
        started = time.monotonic()
        if fcntl is None or started < self._asks_again:
            return
        give_up = started + LONGEST_WAIT_SECONDS - self._waited
        while (now := time.monotonic()) < give_up:
            try:
                fcntl.flock(self._bulk, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_STEP_SECONDS)
                continue
            fcntl.flock(self._bulk, fcntl.LOCK_UN)
            self._waited += now - started
            return
        self._waited, self._asks_again = 0.0, now + SHARE_SECONDS

    def close(self) -> None:
        """Close the file; `wait_for_queries` must not be called afterwards."""
        os.close(self._bulk)
