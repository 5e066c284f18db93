"""The sandbox's inside: what runs in a child process.

Requests come as pickles on standard input, answers go to what was standard output. The work is prepared once; every
file then gets its own limits of memory and processor time.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

from indexer.read import DEFAULT_LIMITS, Limits, read
from indexer.segment import Split
from labse_search.errors import Unreadable, UserError
from labse_search.machine import end_with_parent
from labse_search.records import Extraction

T = TypeVar("T")
Work = Callable[[Path, str], T]

MEMORY_PER_MB = 40  # more for large files: their sentences took up to 45 times their size, read and segmented
LARGEST_MEMORY = 4  # times the pool's limit, whatever the size
TAKEN = b"!"  # a child's word that it has the file: from here on the file is to blame for what happens


def read_and_split(model: str, languages: Sequence[str], limits: Limits) -> Work[tuple[Extraction, Split]]:
    """The work of a ReaderPool."""
    from indexer.segment import Segmenter
    from labse_search.encoder import load_tokenizer
    from labse_search.languages.identify import LanguageIdentifier

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
    end_with_parent()  # even in the middle of a file; elsewhere the end of the input ends us
    prepare, arguments, memory_mb = pickle.load(requests)
    try:
        work = prepare(*arguments)
    except Exception as error:  # the parent's person must learn it, whatever it is
        traceback.print_exc()
        pickle.load(requests)
        message = str(error) if isinstance(error, UserError) else f"The reader can't start: {error!r}"
        answers.write(TAKEN)
        _send(answers, ("unprepared", None, message, True))
        return
    mapped_mb = _mapped_mb()
    while True:
        try:
            path, name, seconds = pickle.load(requests)
        except EOFError:
            return
        answers.write(TAKEN)
        answers.flush()
        _limit_time(seconds)
        room_mb = min(memory_mb + MEMORY_PER_MB * megabytes(Path(path)), LARGEST_MEMORY * memory_mb)
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


def megabytes(path: Path) -> float:
    """The size of a file, 0 if that can't be told."""
    try:
        return path.stat().st_size / (1 << 20)
    except OSError:
        return 0.0  # the child says what is wrong with it
