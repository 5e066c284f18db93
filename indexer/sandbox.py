"""Reading and segmenting in child processes, so that no file can take the app down, hang it or fill its memory.

A path goes in, the work's answer comes out, or Unreadable. A child lives for many files; it is killed when a file takes
too long, ends itself when one has left it large, and another takes its place. No file is tried a second time in
a fresh child unless the one before was gone before it got the file.

    pool = ReaderPool(1, model="…/labse-mini")
    extraction, split = pool.submit(path, "folder/report.pdf").result()

Between the two run pickles over pipes. What comes back is unpickled from a list of plain classes only: a reader that
a hostile file took over can send wrong text, but it can't run code here. Not kept from such a reader: the person's
files and the network. Children have no terminal and no parent but this process: when it goes, however it goes, they go.
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Generic, TypeVar

from indexer.read import DEFAULT_LIMITS, Limits
from indexer.sandbox_child import Work, megabytes, read_and_split
from indexer.sandbox_process import ChildProcess
from indexer.segment import Split
from labse_search.errors import Unreadable, UserError
from labse_search.records import Extraction, Note, Segment, Unit

T = TypeVar("T")

MEMORY_MB = 1500  # beside what the child holds at its start; PDFium took 600 for the worst stream bomb we made
SECONDS = 60.0  # of processor time, so that a busy machine refuses no more than an idle one
SECONDS_PER_MB = 4.0  # more for large files: 2 s a megabyte of lines in 60 mixed languages, 1 s of prose, measured
MOST_LOST = 4  # children that are gone before they take a file, until it is given up
WAITING = 4  # times that, by the clock: for a child that waits for what never comes
PLAIN = (Extraction, Unit, Note, Split, Segment)  # what may come back from a child


class WorkPool(Generic[T]):
    """Does one kind of work in child processes.

    `prepare(*arguments)` runs once in each child and returns the work; it must be importable there, and answer with
    values of PLAIN. `processes`: how many, or what says so, where it takes long to find out: asked in a thread when the
    first file comes, while the first child is at work already.
    """

    def __init__(
        self,
        processes: int | Callable[[], int],
        prepare: Callable[..., Work[T]],
        arguments: Sequence[object] = (),
        *,
        memory_mb: int = MEMORY_MB,
        seconds: float = SECONDS,
    ) -> None:
        self._setup = pickle.dumps((prepare, tuple(arguments), memory_mb))
        self._seconds = seconds
        self._waiting: queue.SimpleQueue[tuple[Path, str, Future[T]] | None] = queue.SimpleQueue()
        self._children: dict[int, ChildProcess] = {}
        self._closing = threading.Event()
        self._processes = processes
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._counting: threading.Thread | None = None

    def submit(self, path: Path, name: str) -> Future[T]:
        """The work's answer for this file. Its exception is Unreadable, or UserError if no child can be prepared."""
        with self._starting:
            if self._closing.is_set():
                raise RuntimeError("the pool is closed")
            if not self._threads:
                if isinstance(self._processes, int):
                    self._start(self._processes)
                else:
                    self._start(1)
                    self._counting = threading.Thread(target=self._start_more, args=(self._processes,))
                    self._counting.start()
        future: Future[T] = Future()
        self._waiting.put((path, name, future))
        return future

    def _start(self, processes: int) -> None:
        """Under the lock: so many threads in all."""
        for number in range(len(self._threads), processes):
            # A daemon, so that an interpreter that ends in the middle of a file does not wait for it.
            self._threads.append(threading.Thread(target=self._serve, args=(number,), daemon=True))
            self._threads[-1].start()

    def _start_more(self, count: Callable[[], int]) -> None:
        processes = count()
        with self._starting:
            if not self._closing.is_set():
                self._start(processes)

    def close(self) -> None:
        """End all children now. What waits is cancelled, what is being read ends with CancelledError. Waits for what
        says how many processes there should be."""
        with self._starting:  # whoever is starting threads has done so, nobody does after us
            self._closing.set()
        if self._counting is not None:
            self._counting.join()
        for _ in self._threads:
            self._waiting.put(None)
        for child in list(self._children.values()):
            child.kill()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> WorkPool[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, number: int) -> None:
        """One thread drives one child at a time, and starts it: Linux ends a child with the thread that started it."""
        try:
            while (task := self._waiting.get()) is not None:
                path, name, future = task
                if self._closing.is_set() or not future.set_running_or_notify_cancel():
                    future.cancel()
                    continue
                self._answer(number, path, name, future)
        finally:
            self._drop(number)

    def _answer(self, number: int, path: Path, name: str, future: Future[T]) -> None:
        try:
            answer = self._ask(number, path, name)
        except (UserError, OSError) as error:
            future.set_exception(CancelledError() if self._closing.is_set() else error)
        else:
            future.set_result(answer)

    def _ask(self, number: int, path: Path, name: str) -> T:
        seconds = self._seconds + SECONDS_PER_MB * megabytes(path)
        child = self._handed(number, path, name, seconds)
        try:
            answer: T = child.receive(WAITING * seconds)
        finally:
            if child.finished:
                self._drop(number)
        return answer

    def _handed(self, number: int, path: Path, name: str, seconds: float) -> ChildProcess:
        """The child that has taken this file. One that is gone before it takes it is replaced: the file is not at
        fault."""
        for _ in range(MOST_LOST):
            child = self._children.get(number)
            if child is None:
                child = self._children[number] = ChildProcess(self._setup, PLAIN)
                if self._closing.is_set():
                    child.kill()
            if child.take(path, name, seconds):
                return child
            self._drop(number)
        raise Unreadable("crashed", "no reader stays alive")

    def _drop(self, number: int) -> None:
        child = self._children.pop(number, None)
        if child is not None:
            child.end()


class ReaderPool(WorkPool[tuple[Extraction, Split]]):
    """Reads files and cuts them into segments for one model. `languages`: the model's, empty if it does not say."""

    def __init__(
        self,
        processes: int | Callable[[], int] = 1,
        *,
        model: str,
        languages: Sequence[str] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(processes, read_and_split, (model, tuple(languages), limits))
