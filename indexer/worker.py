"""Reading and segmenting in child processes, so that no file can take the app down, hang it or fill its memory.

A path goes in, the work's answer comes out, or Unreadable. A child lives for many files; it is killed when a file takes
too long, ends itself when one has left it large, and another takes its place. No file is tried a second time in
a fresh child unless the first one was gone before it got the file.

    pool = ReaderPool(1, model="…/labse-mini")
    extraction, split = pool.submit(path, "folder/report.pdf").result()

Between the two run pickles over pipes. What comes back is unpickled from a list of plain values only: a reader that
a hostile file took over can send wrong text, but it can't run code here. Not kept from such a reader: the person's
files and the network. Children have no terminal and no parent but this process: when it goes, however it goes, they go.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import pickle
import queue
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from indexer.read import DEFAULT_LIMITS, Limits, read
from indexer.segment import Split
from labse_search.errors import REASONS, Unreadable, UserError
from labse_search.records import Extraction

T = TypeVar("T")
Work = Callable[[Path, str], T]

MEMORY_MB = 1500  # beside what the child holds at its start; PDFium took 600 for the worst stream bomb we made
MEMORY_PER_MB = 40  # more for large files: their sentences took up to 45 times their size, read and segmented
LARGEST_MEMORY = 4  # times MEMORY_MB, whatever the size
SECONDS = 60.0  # of processor time, so that a busy machine refuses no more than an idle one
WAITING = 4  # times that, by the clock: for a child that waits for what never comes
PREPARE_SECONDS = 120.0  # imports and the tokenizer, on a machine that is busy
SECONDS_PER_MB = (
    4.0  # more for large files: 2 s a megabyte of lines in 60 mixed languages, 1 s of plain prose, measured
)
# Modules whose values may come back from a child. Callables of the standard library are not among them.
_PLAIN = frozenset(("labse_search.records", "indexer.segment"))
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from indexer.worker import serve; serve()"
# One thread and two allocation arenas a child: every further one takes address space, which is what is limited.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUTF8": "1",
}
_OUT_OF_MEMORY = (
    b"MemoryError",
    b"memory allocation of",
    b"Cannot allocate memory",
    b"std::bad_alloc",
    b"Out of memory",
)
_PR_SET_PDEATHSIG = 1
_TAKEN = b"!"  # a child's word that it has the file: from here on the file is to blame for what happens


class WorkPool(Generic[T]):
    """Does one kind of work in child processes.

    `prepare(*arguments)` runs once in each child and returns the work; it must be importable there. `plain`: modules
    whose classes may come back, beside those of the readers. `processes`: how many, or what says so, where it takes
    long to find out: asked in a thread when the first file comes, while the first child is at work already.
    """

    def __init__(
        self,
        processes: int | Callable[[], int],
        prepare: Callable[..., Work[T]],
        arguments: Sequence[object] = (),
        *,
        memory_mb: int = MEMORY_MB,
        seconds: float = SECONDS,
        plain: frozenset[str] = frozenset(),
    ) -> None:
        self._setup = pickle.dumps((prepare, tuple(arguments), memory_mb))
        self._seconds = seconds
        self._plain = _PLAIN | plain
        self._waiting: queue.SimpleQueue[tuple[Path, str, Future[T]] | None] = queue.SimpleQueue()
        self._children: dict[int, _Child] = {}
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
        seconds = self._seconds + SECONDS_PER_MB * _megabytes(path)
        child = self._handed(number, path, name, seconds)
        try:
            answer: T = child.receive(WAITING * seconds)
        finally:
            if child.finished:
                self._drop(number)
        return answer

    def _handed(self, number: int, path: Path, name: str, seconds: float) -> _Child:
        """The child that has taken this file. One that is gone before it takes it is replaced, once."""
        for _ in range(2):
            child = self._children.get(number)
            if child is None:
                child = self._children[number] = _Child(self._setup, self._plain)
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


class _Child:
    """One child process, from the parent's side."""

    def __init__(self, setup: bytes, plain: frozenset[str]) -> None:
        self._plain = plain
        self._errors = tempfile.TemporaryFile()  # what it writes on its way out tells memory from other troubles
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps([os.path.abspath(entry) for entry in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its children itself
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self.finished = False  # it takes no further file
        self._requests.write(setup)  # stays in the buffer until the first file follows

    def take(self, path: Path, name: str, seconds: float) -> bool:
        """Whether the child, prepared by now, has begun with this file."""
        with _Deadline(self._process, PREPARE_SECONDS):
            try:
                pickle.dump((os.fspath(path), name, seconds), self._requests)
                self._requests.flush()
                return self._answers.read(1) == _TAKEN
            except OSError:
                return False

    def receive(self, seconds: float) -> Any:
        """The answer. Whatever else happens is Unreadable; then, or when it says so itself, the child is finished."""
        self.finished = True
        with _Deadline(self._process, seconds) as deadline:
            try:
                state, value, detail, last = _Answers(self._answers, self._plain).load()
            except (EOFError, OSError, pickle.UnpicklingError, ValueError) as error:
                if deadline.is_over:
                    raise Unreadable("too_slow", f"nothing after {seconds:.0f} seconds") from None
                raise self._why(error) from None
        self.finished = last or deadline.is_over
        if state == "unprepared":
            raise UserError(detail)
        if state == "unreadable":
            raise Unreadable(value if value in REASONS else "crashed", detail)
        return value

    def _why(self, error: Exception) -> Unreadable:
        self.kill(grace_seconds=1.0 if isinstance(error, EOFError) else 0.0)
        status = self._process.returncode
        if hasattr(signal, "SIGXCPU") and status == -signal.SIGXCPU:
            return Unreadable("too_slow", "over the limit of processor time")
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 4000))
        tail = self._errors.read()
        if any(mark in tail for mark in _OUT_OF_MEMORY):
            return Unreadable("out_of_memory", f"exit status {status}")
        return Unreadable("crashed", f"exit status {status}, {type(error).__name__}")

    def kill(self, grace_seconds: float = 0.0) -> None:
        """End it and collect it. May be called from any thread, and twice."""
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Kill it and close the pipes; by the thread that uses them."""
        self.kill()
        for stream in (self._requests, self._answers, self._errors):
            with contextlib.suppress(OSError):  # what was not written yet can't be: nobody is there to read it
                stream.close()


class _Deadline:
    """Kills a process that is still at it when the time is over: works where pipes have no timeouts, too."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self.is_over = False

    def _end(self) -> None:
        self.is_over = True
        self._process.kill()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


class _Answers(pickle.Unpickler):
    """Builds nothing but the values of the named modules."""

    def __init__(self, stream: IO[bytes], plain: frozenset[str]) -> None:
        super().__init__(stream)
        self._plain = plain

    def find_class(self, module: str, name: str) -> Any:
        if module not in self._plain or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} may not come from a reader")
        found = super().find_class(module, name)
        if not isinstance(found, type):
            raise pickle.UnpicklingError(f"{module}.{name} is no plain value")
        return found


class ReaderPool(WorkPool[tuple[Extraction, Split]]):
    """Reads files and cuts them into segments for one model. `languages`: the model's, empty if it does not say."""

    def __init__(
        self,
        processes: int | Callable[[], int] = 1,
        *,
        model: str,
        languages: Sequence[str] = (),
        limits: Limits = DEFAULT_LIMITS,
        memory_mb: int = MEMORY_MB,
        seconds: float = SECONDS,
    ) -> None:
        arguments = (model, tuple(languages), limits)
        super().__init__(processes, read_and_split, arguments, memory_mb=memory_mb, seconds=seconds)


# From here on: the child.


def read_and_split(model: str, languages: Sequence[str], limits: Limits) -> Work[tuple[Extraction, Split]]:
    """The work of a ReaderPool."""
    from indexer.language import LanguageIdentifier
    from indexer.segment import Segmenter
    from labse_search.encoder import load_tokenizer

    segmenter = Segmenter(load_tokenizer(model), LanguageIdentifier(languages))

    def work(path: Path, name: str) -> tuple[Extraction, Split]:
        extraction = read_file(path, name, limits)
        return extraction, segmenter.split(extraction)

    return work


def read_only(limits: Limits = DEFAULT_LIMITS) -> Work[Extraction]:
    """The work of a WorkPool that only reads."""
    return lambda path, name: read_file(path, name, limits)


def read_file(path: Path, name: str, limits: Limits) -> Extraction:
    """`read` for a file on disk. Only regular files are opened: a pipe or a device might never end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("unsupported", "not a regular file")
        if status.st_size > limits.file_bytes:
            raise Unreadable("too_large", f"{status.st_size} bytes")
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Unreadable("vanished") from None
    except PermissionError:
        raise Unreadable("not_permitted") from None
    except OSError as error:
        raise Unreadable("damaged", f"{type(error).__name__} {error.errno}") from None
    return read(name, content, limits=limits)


def serve() -> None:
    """The main loop of a child: requests on standard input, answers on standard output, until the input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    prepare, arguments, memory_mb = pickle.load(requests)
    try:
        work = prepare(*arguments)
    except Exception as error:  # the parent's person must learn it, whatever it is
        traceback.print_exc()
        pickle.load(requests)
        message = str(error) if isinstance(error, UserError) else f"The reader can't start: {error!r}"
        answers.write(_TAKEN)
        _send(answers, ("unprepared", None, message, True))
        return
    mapped_mb = _mapped_mb()
    while True:
        try:
            path, name, seconds = pickle.load(requests)
        except EOFError:
            return
        answers.write(_TAKEN)
        answers.flush()
        _limit_time(seconds)
        room_mb = min(memory_mb + MEMORY_PER_MB * _megabytes(Path(path)), LARGEST_MEMORY * memory_mb)
        _limit_memory(mapped_mb + room_mb)
        state, value, detail = _work_on(work, Path(path), name)
        last = value == "out_of_memory" or _peak_mb() > memory_mb * 2 // 3
        _send(answers, (state, value, detail, last))
        if last:
            return
        del value


def _work_on(work: Work[object], path: Path, name: str) -> tuple[str, object, str]:
    try:
        return "done", work(path, name), ""
    except Unreadable as error:
        return "unreadable", error.code, error.detail
    except MemoryError:
        return "unreadable", "out_of_memory", ""
    except Exception as error:  # a bug, or a library's: this file gets a reason code, the others go on
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "unreadable", "crashed", f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"


def _send(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers, protocol=5)
    answers.flush()


def _end_with_parent() -> None:
    """Linux: be killed when the parent is, even in the middle of a file. Elsewhere the end of the input ends us."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before we asked
        sys.exit(1)


def _limit_memory(megabytes: float) -> None:
    """Of address space, until the next call; no core dumps. Linux alone: macOS maps gigabytes and counts them all."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = int(megabytes * (1 << 20))
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _mapped_mb() -> float:
    """What is mapped now. Limits come on top of it, so that the size of a tokenizer does not count."""
    if sys.platform != "linux":
        return 0.0
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _limit_time(seconds: float) -> None:
    """End this process when it has worked that long from now on."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), hard))


def _peak_mb() -> float:
    """The most memory this process ever held, 0 where that can't be told."""
    if sys.platform == "linux":  # not getrusage: it starts with what the parent held when it started us
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _megabytes(path: Path) -> float:
    try:
        return path.stat().st_size / (1 << 20)
    except OSError:
        return 0.0  # the child says what is wrong with it
