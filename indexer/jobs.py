"""The worker: a process of its own that does waiting jobs, one after another, and then ends.

    python -m indexer.jobs HOME [IDLE_SECONDS]

The app starts it when there is work; it outlives the browser's tab and the app. A job belongs to whoever holds its
lock, and the system frees the lock of a process that dies: the next worker goes on where that one was.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from labse_search.encoder import Encoder
from labse_search.errors import UserError, arose_at
from labse_search.library import JobRow, Library
from labse_search.library.log import log_file, open_log
from labse_search.settings import Settings

log = logging.getLogger("labse_search.jobs")

IDLE_SECONDS = 20  # how long a worker waits for another job before it ends
POLL_SECONDS = 0.5
REST_SECONDS = 15.0  # after a job could not even be begun or ended: the ledger is locked, or its disk is full
READER_SEGMENTS_PER_SECOND = 6000  # benchmarks.segmenting, one thread
PROBE_SENTENCES = 64
NICENESS = 10  # searching comes first
BYTES_A_TOKEN = 6  # of files: text in any script, and what is around it
SWITCH_SECONDS = 0.0005  # of the interpreter: encoding threads come back from torch every millisecond (10 % faster so)


def ensure_worker(library: Library, environ: Mapping[str, str]) -> None:
    """Start a worker if there is a job to do and nobody does it. Returns at once."""
    if not any(waiting(library)):
        return
    lock = library.lock("worker")
    if lock is None:
        return
    lock.release()  # the worker takes it; a second one that comes at the same moment ends at once
    with log_file(library.home).open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "indexer.jobs", str(library.home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).resolve().parent.parent,
            env={**environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C in the app's terminal does not reach it
        )


def waiting(library: Library) -> list[JobRow]:
    """Jobs that somebody should be doing: queued ones, and running ones whose process died."""
    jobs = []
    for job in library.ledger.unfinished_jobs():
        if job.state == "queued":
            jobs.append(job)
        elif job.state == "running" and (lock := library.lock(f"job-{job.id}")) is not None:
            lock.release()
            jobs.append(job)
    return jobs


def work(library: Library, settings: Settings, *, idle_seconds: float = IDLE_SECONDS) -> int:
    """Do jobs until none has come for `idle_seconds`. Returns how many were done."""
    done, last = 0, time.monotonic()
    while time.monotonic() - last < idle_seconds:
        try:
            # The first that nobody keeps us from: another process may be busy with the first one's collection.
            row = next((row for job in waiting(library) if (row := do_job(library, settings, job)) is not None), None)
        except UserError as error:  # what should be written down could not be: the job is as it was
            log.warning("%s", error)
            time.sleep(min(REST_SECONDS, idle_seconds))
            continue
        if row is None:  # none is there, or somebody else has it
            time.sleep(POLL_SECONDS)
            continue
        log.info("job %s: %s, %d segments %s", row.id, row.state, row.segments, row.error)
        done, last = done + 1, time.monotonic()
    return done


def do_or_follow(
    library: Library, settings: Settings, job: str, *, report: Callable[[JobRow], None], processes: int = 1
) -> JobRow:
    """Do the job here, once its collection is free; or tell how it goes on where it is done already."""
    while True:
        row = do_job(library, settings, library.job(job), report=report, processes=processes)
        if row is not None:
            return row
        row = library.job(job)
        if row.state not in ("queued", "running"):
            return row
        report(row)
        time.sleep(POLL_SECONDS)


def do_job(
    library: Library,
    settings: Settings,
    job: JobRow,
    *,
    report: Callable[[JobRow], None] = lambda job: None,
    processes: int = 1,
) -> JobRow | None:
    """Do one job, here. None if somebody else has it, or has another one of the same collection: two at once would
    take each other's documents for broken ones. What is heavy is imported now."""
    lock = library.lock(f"job-{job.id}")
    if lock is None:
        return None
    try:
        collection = library.lock(collection_lock(job.collection))
        if collection is None:
            return None
        try:
            return _do(library, settings, job, report, processes) if library.ledger.start_job(job.id) else None
        finally:
            collection.release()
    finally:
        lock.release()


def collection_lock(collection: str) -> str:
    """The name of the lock on a collection's jobs: any name of a collection makes the name of a file."""
    return f"collection-{hashlib.sha256(collection.encode()).hexdigest()[:16]}"


def _do(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None], processes: int) -> JobRow:
    try:
        return _index(library, settings, job, report, processes)
    except UserError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        if library.job(job.id).state == "running":  # before its first file
            library.ledger.set_job(job.id, state="cancelled", finished=time.time())
        raise
    except Exception as error:  # the job's border: whatever it is, the job ends and the next one begins
        reference = uuid.uuid4().hex[:8]
        log.error("reference %s: job %s: %s", reference, job.id, arose_at(error))
        sentence = (
            f"Something unexpected went wrong. What was indexed is safe. The log in {library.home / 'logs'} says more "
            f"under the reference {reference}."
        )
    library.ledger.set_job(job.id, state="failed", error=sentence, finished=time.time(), current="", seconds_left=None)
    return library.job(job.id)


def _index(
    library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None], processes: int
) -> JobRow:
    from indexer.encoding import Stopped
    from indexer.pipeline import Pipeline
    from indexer.read.limits import DEFAULT_LIMITS
    from indexer.worker import ReaderPool
    from labse_search.encoder.lazy import LazyEncoder, open_encoder
    from labse_search.encoder.pool import EncoderPool
    from labse_search.encoder.turns import Turns
    from labse_search.store import open_store

    sys.setswitchinterval(SWITCH_SECONDS)
    encoder: Encoder
    if processes > 1:
        encoder = EncoderPool(job.model, processes=processes, precision=settings.precision)
    else:
        encoder = open_encoder(job.model, precision=settings.precision)
    turns = Turns(library.home / "locks" / "questions.lock")
    encoder.pause = turns.pause
    store = open_store(settings.store, home=library.home, api_key=settings.api_key)
    limits = replace(DEFAULT_LIMITS, file_bytes=settings.max_file_mb << 20)

    ahead = ThreadPoolExecutor(1, "ahead")

    def count() -> int:  # asked at the first file that is new: it loads the weights
        if isinstance(encoder, LazyEncoder):  # torch, if it pays, is imported while the readers start
            tokens = library.ledger.new_bytes(job.id, job.collection) // BYTES_A_TOKEN
            ahead.submit(encoder.expect, tokens)
        try:
            return reader_processes(encoder)
        except (UserError, Stopped):  # what is wrong with the model, its first batch meets again and tells
            return 1

    readers = ReaderPool(count, model=job.model, languages=encoder.languages, limits=limits)
    try:
        pipeline = Pipeline(library, store, encoder, readers, job.collection, settings.max_file_mb << 20, report=report)
        return pipeline.run(job.id)
    finally:
        readers.close()
        store.close()
        # Waited for: an interpreter that ends in the middle of torch's import ends with an abort. And who encodes heeds
        # the questions' lock to the last.
        ahead.shutdown()
        turns.close()
        if isinstance(encoder, EncoderPool):
            encoder.close()


def reader_processes(encoder: Encoder) -> int:
    """How many processes read: one a core if they are what takes the time, which a static model shows by encoding
    faster than one reader segments (6,000 segments a second); else few, so that the encoder keeps the cores. A small
    transformer is timed in numpy, as slow as torch is at it without a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    probe = ["A sentence of about the usual length, to see how long it takes to encode it."] * PROBE_SENTENCES
    limit = PROBE_SENTENCES / READER_SEGMENTS_PER_SECOND
    # A model that is slow with four sentences is not asked for all.
    fast = all(_second_time(encoder, part) < limit for part in (probe[: PROBE_SENTENCES // 16], probe))
    return cores if fast else max(1, cores // 4)


def _second_time(encoder: Encoder, texts: Sequence[str]) -> float:
    """Seconds for the texts, once the encoder has seen them."""
    encoder.encode(texts)
    started = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - started


def main() -> int:
    settings = Settings.from_env({**os.environ, "LABSE_HOME": sys.argv[1]})
    log_everything(settings.home)
    library = Library(settings.home)
    lock = library.lock("worker")
    if lock is None:
        return 0
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    work(library, settings, idle_seconds=float(sys.argv[2]) if len(sys.argv) > 2 else IDLE_SECONDS)
    return 0


def log_everything(home: Path) -> None:
    """What is logged goes to the log; so does what nobody caught, without its message."""
    open_log(home)
    sys.excepthook = _log_unexpected
    threading.excepthook = lambda failed: _log_unexpected(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _log_unexpected(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """In the place of Python's own report, which would print the error's message."""
    if isinstance(error, UserError):
        log.error("%s", error)
    else:
        log.critical("reference %s: %s", uuid.uuid4().hex[:8], arose_at(error) if error else kind.__name__)


if __name__ == "__main__":
    sys.exit(main())
