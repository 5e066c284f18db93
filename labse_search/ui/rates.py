"""How many requests one client may make: a bucket of allowances, refilled with time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

CLIENTS = 4096  # addresses remembered


class Rates:
    """`rate` requests a second and `burst` at once for each client."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allow(self, client: str) -> bool:
        """Whether one more request of the client is within its rate; counts it."""
        with self._lock:
            return self._allow(client)

    def _allow(self, client: str) -> bool:
        now = self.clock()
        left, then = self._left.pop(client, (float(self.burst), now))
        left = min(self.burst, left + (now - then) * self.rate)
        if len(self._left) >= CLIENTS:
            self._left.pop(next(iter(self._left)))  # whoever was here longest ago
        self._left[client] = (left - 1 if left >= 1 else left, now)
        return left >= 1
