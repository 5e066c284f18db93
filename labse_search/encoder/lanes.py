"""Whole batches side by side, each on one core, instead of one batch on all cores.

Threads that share one multiplication wait for each other after every operation, and for whichever of them the system
has just interrupted. Threads with a batch each wait for nobody. Measured on two cores of a Cascade Lake, float32:
labse-mini 1.4 ×, LaBSE's shape 1.15 × on sentences and 1.07 × on passages of 120 tokens; beside a program that keeps
one core busy 1.9 × and 1.2 × (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


class Lanes:
    """`count` threads in which torch uses one thread each. Started at the first use."""

    def __init__(self, count: int) -> None:
        self.count = count if _threads_are_counted_apart() else 1
        self._starting = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def each(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """`work` on every item, as lanes get free; the first error that one raised, after all have ended."""
        done = [self._opened().submit(work, item) for item in items]
        errors = [error for one in done if (error := one.exception()) is not None]
        if errors:
            raise errors[0]

    def _opened(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._pool is None:
                own = torch.get_num_threads()
                self._pool = ThreadPoolExecutor(self.count, "lane", initializer=_use_one_thread)
                together = threading.Barrier(self.count + 1)
                for _ in range(self.count):
                    self._pool.submit(together.wait)
                together.wait()  # all have started
                torch.set_num_threads(own)  # a thread's number is its own, but the last one set is every new thread's
            return self._pool


def _use_one_thread() -> None:
    torch.get_num_threads()  # a new thread's first question gives it the process's number: before, not after
    torch.set_num_threads(1)


def _threads_are_counted_apart() -> bool:
    """OpenMP counts them for each calling thread; torch's other backends have one pool for the whole process."""
    return "parallel backend: OpenMP" in torch.__config__.parallel_info()
