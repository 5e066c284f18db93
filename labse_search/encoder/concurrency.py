"""How calls share the cores of one process: worker threads for many texts, dynamic batching for few.

Threads that share one multiplication wait for each other after every operation, and for whichever of them the system
has just interrupted; threads with a whole batch each, on one core, wait for nobody. Measured on two cores
(benchmarks/RESULTS.md); with more, untested.

Calls of few texts that come at the same time are computed as one: twenty people's questions in one batch. While one
batch is computed, the calls that come meanwhile wait; then whichever thread is first takes all of them along, the
shortest first: a question does not wait for the sentences of passages that somebody is reading already. A lone call
waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from labse_search.encoder.packing import Ids

T = TypeVar("T")
R = TypeVar("R", bound=Sequence[Any] | np.ndarray[Any, Any])  # one item a text
START_SECONDS = 30.0
PATIENCE_SECONDS = 1.0  # of a long call; from then on it goes before shorter ones
_STARTING = threading.Lock()  # of all pools: a thread's number is its own, but the last set is every new thread's


class Workers:
    """`count` threads in which torch uses one thread each, and one more such thread that no batch keeps busy. To be
    made before other threads use torch: one that asks for the first time in that very moment would keep one thread."""

    def __init__(self, count: int) -> None:
        self.count = count if count > 1 and _threads_are_counted_apart() else 1
        self._pool = _open(self.count) if self.count > 1 else None
        self._alone = _open(1) if self.count > 1 else None

    def alone(self, work: Callable[[], object]) -> None:
        """`work` in a thread of its own, which batches that others gave never keep busy."""
        assert self._alone is not None, "one worker is none: work without"
        self._alone.submit(work).result()

    def each(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """`work` on every item, as threads get free. After an error, or Ctrl-C, what has not begun is left out, what
        has is waited for, and the error is raised."""
        assert self._pool is not None, "one worker is none: work without"
        begun: list[Future[None]] = []
        try:
            for item in items:
                begun.append(self._pool.submit(work, item))
            wait(begun, return_when=FIRST_EXCEPTION)
        finally:
            for one in begun:
                one.cancel()
            wait(begun)
        for one in begun:
            if not one.cancelled():
                one.result()


def _open(count: int) -> ThreadPoolExecutor:
    with _STARTING:
        own = torch.get_num_threads()
        together = threading.Barrier(count + 1, timeout=START_SECONDS)
        pool = ThreadPoolExecutor(count, "worker", initializer=_use_one_thread)
        try:
            for _ in range(count):
                pool.submit(together.wait)
            together.wait()  # each has started, so none is left to take the number that is set now
        except BaseException:
            together.abort()
            pool.shutdown(wait=False)
            raise
        finally:
            torch.set_num_threads(own)
        return pool


def _use_one_thread() -> None:
    torch.get_num_threads()  # a new thread's first question gives it the process's number: before, not after
    torch.set_num_threads(1)


def _threads_are_counted_apart() -> bool:
    """OpenMP counts them for each calling thread; torch's other backends have one pool for the whole process."""
    return "parallel backend: OpenMP" in torch.__config__.parallel_info()


@dataclass(eq=False)
class _Call(Generic[R]):
    ids: Ids  # (tokens,) all texts', one after the other
    lengths: Ids  # (texts,)
    since: float = field(default_factory=time.monotonic)
    found: R | None = None
    error: Exception | None = None


class DynamicBatcher(Generic[R]):
    """`compute` makes one item a text, such as vectors (texts, dimension), of the ids and lengths of all the calls that
    it is given at once."""

    def __init__(
        self, compute: Callable[[Ids, Ids], R], *, most_tokens: int, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._compute = compute
        self._most_tokens = most_tokens  # in one batch of several calls
        self._patience_seconds = patience_seconds
        self._computing = threading.Lock()
        self._listing = threading.Lock()
        self._waiting: list[_Call[R]] = []

    def __call__(self, ids: Ids, lengths: Ids) -> R:
        """What was computed of the caller's own texts. Raises what computing raised."""
        call: _Call[R] = _Call(ids, lengths)
        with self._listing:
            self._waiting.append(call)
        while call.found is None and call.error is None:
            with self._computing:
                if call.found is None and call.error is None:
                    self._compute_waiting()
        if call.error is not None:
            raise call.error
        assert call.found is not None
        return call.found

    def _compute_waiting(self) -> None:
        calls = self._take()
        try:
            found = self._compute(
                np.concatenate([call.ids for call in calls]), np.concatenate([call.lengths for call in calls])
            )
        except Exception as error:
            for call in calls:
                call.error = error
            return
        except BaseException:  # Ctrl-C strikes one thread; the others' calls wait for another one
            with self._listing:
                self._waiting = [*calls, *self._waiting]
            raise
        start = 0
        for call in calls:
            call.found = found[start : start + len(call.lengths)]  # type: ignore[assignment]
            start += len(call.lengths)

    def _take(self) -> list[_Call[R]]:
        """Calls that have waited for long, then the shortest: as many as make one batch, at least one."""
        with self._listing:
            overdue = time.monotonic() - self._patience_seconds
            self._waiting.sort(key=lambda call: (call.since > overdue, len(call.ids) if call.since > overdue else 0))
            tokens = np.cumsum([len(call.ids) for call in self._waiting])
            count = max(1, int(np.searchsorted(tokens, self._most_tokens, side="right")))
            calls, self._waiting = self._waiting[:count], self._waiting[count:]
            return calls
