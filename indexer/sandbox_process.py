"""One child process of the sandbox, from its parent's side: its requests, its answers, its end."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from indexer.sandbox_child import TAKEN
from labse_search.errors import REASONS, Unreadable, UserError

PREPARE_SECONDS = 120.0  # imports and the tokenizer, on a machine that is busy
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from indexer.sandbox_child import serve; serve()"
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


class ChildProcess:
    """One child process, from the parent's side."""

    def __init__(self, setup: bytes, plain: Collection[type]) -> None:
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
                return self._answers.read(1) == TAKEN
            except OSError:
                return False

    def receive(self, seconds: float) -> Any:
        """The answer. Whatever else happens is Unreadable; then, or when it says so itself, the child is finished."""
        self.finished = True
        with _Deadline(self._process, seconds) as deadline:
            try:
                state, value, detail, last = PlainUnpickler(self._answers, self._plain).load()
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


class PlainUnpickler(pickle.Unpickler):
    """Builds values of the given classes and of those that need no name (numbers, texts, tuples, dicts): nothing is
    imported, nothing else can be called."""

    def __init__(self, stream: IO[bytes], plain: Collection[type]) -> None:
        super().__init__(stream)
        self._plain = {(one.__module__, one.__qualname__): one for one in plain}

    def find_class(self, module: str, name: str) -> Any:
        """The class, if it is on the list of plain types; else UnpicklingError."""
        try:
            return self._plain[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} may not come from a reader") from None
