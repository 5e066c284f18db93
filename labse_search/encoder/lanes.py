"""Whole batches side by side, each on one core, instead of one batch on all cores.

Threads that share one multiplication wait for each other after every operation, and for whichever of them the system
has just interrupted. Threads with a batch each wait for nobody. Measured on two cores (benchmarks/RESULTS.md); with
more, untested.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

T = TypeVar("T")
START_SECONDS = 30.0
_STARTING = threading.Lock()  # of all lanes: a thread's number is its own, but the last one set is every new thread's


class Lanes:
    """`count` threads in which torch uses one thread each. To be made before other threads use torch: one that asks for
    the first time in that very moment would keep one thread."""

    def __init__(self, count: int) -> None:
        self.count = count if count > 1 and _threads_are_counted_apart() else 1
        self._pool = _open(self.count) if self.count > 1 else None

    def each(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """`work` on every item, as lanes get free. After an error, or Ctrl-C, what has not begun is left out, what has
        is waited for, and the error is raised."""
        assert self._pool is not None, "one lane is none: work without"
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
        pool = ThreadPoolExecutor(count, "lane", initializer=_use_one_thread)
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
