"""Batches of a job on their way through the encoder, in threads of their own.

So whoever runs the job can answer a request meanwhile (a batch takes seconds where the model is large), and the next
batch is at hand when cores get free at the end of one. A pause or a cancel ends a batch between two layers, not at its
end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from labse_search.encoder import Encoder
from labse_search.similarity import Vectors

FIRST_BATCH, LARGEST_BATCH = 64, 4096  # segments
# A batch should take so long: what a killed process has to do again, and how often the job tells how far it is.
# Not less than the first number even so: with fewer segments the encoder's threads stand idle at every end.
SHORT_SECONDS, LONG_SECONDS = 0.5, 5.0


class Stopped(Exception):
    """The batch was given up, since nobody wants it any more."""


class Encoding:
    """Encodes for one job, between `with` and its end. `batch`: how many segments to give it at a time."""

    def __init__(self, encoder: Encoder, wait_for_queries: Callable[[], None] | None = None) -> None:
        self.batch = FIRST_BATCH
        self._encoder = encoder
        self._wait_for_queries = wait_for_queries
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(None, "encode")  # none is started before there is a batch
        self._under_way: deque[Future[Vectors]] = deque()

    def __enter__(self) -> Encoding:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._threads.shutdown()

    @property
    def max_batches(self) -> int:
        """How many batches to have under way."""
        return self._encoder.max_concurrent_calls

    def stop(self) -> None:
        """What is being encoded ends soon, with Stopped."""
        self._stopping.set()

    def oldest(self) -> Future[Vectors] | None:
        """What has to be done before another batch may be given, if anything has. Raises what went wrong so far."""
        while self._under_way and self._under_way[0].done():
            self._under_way.popleft().result()
        return self._under_way[0] if len(self._under_way) >= self.max_batches else None

    def give(self, texts: Sequence[str]) -> Future[Vectors]:
        """Their vectors, (n, dimension), as soon as they are there."""
        self._under_way.append(self._threads.submit(self._encode, texts))
        return self._under_way[-1]

    def _encode(self, texts: Sequence[str]) -> Vectors:
        if self._stopping.is_set():
            raise Stopped
        started = time.monotonic()
        vectors = self._encoder.encode(texts, "document", check_cancelled=self._check_cancelled)
        seconds = time.monotonic() - started
        if seconds < SHORT_SECONDS and len(texts) >= self.batch:
            self.batch = min(2 * self.batch, LARGEST_BATCH)
        elif seconds > LONG_SECONDS:
            self.batch = max(self.batch // 2, FIRST_BATCH)
        return vectors

    def _check_cancelled(self) -> None:
        if self._stopping.is_set():
            raise Stopped
        if self._wait_for_queries is not None:
            self._wait_for_queries()
