"""The worker: a process of its own that does waiting jobs, one after another, and then ends.

    python -m indexer.worker HOME [IDLE_SECONDS [WORKER]]

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
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from labse_search.encoder import Encoder
from labse_search.errors import UserError, arose_at
from labse_search.library import JobRow, Library
from labse_search.library.log import log_file, open_log
from labse_search.machine import usable_cores
from labse_search.settings import Settings, write_privately

log = logging.getLogger("labse_search.jobs")

WORKER, REEMBEDDING_WORKER, TEACHING_WORKER = "worker", "reembedding-worker", "teaching-worker"  # and of their locks
ANSWERING_WORKER, KEEPING_WORKER, FETCHING_WORKER = "answering-worker", "keeping-worker", "fetching-worker"
MAPPING_WORKER, ALIGNING_WORKER = "mapping-worker", "aligning-worker"
WORKERS = {
    "reembed": REEMBEDDING_WORKER,
    "mine": TEACHING_WORKER,
    "tune": TEACHING_WORKER,
    "batch": ANSWERING_WORKER,
    "backup": KEEPING_WORKER,
    "restore": KEEPING_WORKER,
    "fetch": FETCHING_WORKER,
    "map": MAPPING_WORKER,
    "translations": ALIGNING_WORKER,
    "align": ALIGNING_WORKER,
}  # of these kinds of jobs
IDLE_SECONDS = 20  # how long a worker waits for another job before it ends
POLL_SECONDS = 0.5
REST_SECONDS = 15.0  # after a job could not even be begun or ended: the ledger is locked, or its disk is full
READER_SEGMENTS_PER_SECOND = 6000  # benchmarks.segmenting, one thread
PROBE_SENTENCES = 64
NICENESS = 10  # searching comes first
SWITCH_SECONDS = 0.0005  # of the interpreter: encoding threads come back from torch every millisecond (10 % faster so)


def ensure_worker(library: Library, environ: Mapping[str, str]) -> None:
    """Start the workers that have a job to do which nobody does. Returns at once."""
    for worker in sorted({worker_of(job) for job in waiting(library)}):
        lock = library.lock(worker)
        if lock is not None:
            lock.release()  # the worker takes it; a second one that comes at the same moment ends at once
            _start(library, worker, environ)


def worker_of(job: JobRow) -> str:
    """Embedding a whole collection again takes hours, and so does tuning: documents are added by another worker
    meanwhile."""
    return WORKERS.get(job.kind, WORKER)


def _start(library: Library, worker: str, environ: Mapping[str, str]) -> None:
    with log_file(library.home).open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "indexer.worker", str(library.home), str(IDLE_SECONDS), worker],
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
    for job in library.ledger.jobs.unfinished():
        if job.state == "queued":
            jobs.append(job)
        elif job.state == "running" and (lock := library.lock(f"job-{job.id}")) is not None:
            lock.release()
            jobs.append(job)
    return jobs


def work(library: Library, settings: Settings, *, idle_seconds: float = IDLE_SECONDS, worker: str = WORKER) -> int:
    """Do this worker's jobs until none has come for `idle_seconds`. Returns how many were done."""
    done, last = 0, time.monotonic()
    while time.monotonic() - last < idle_seconds:
        try:
            # The first that nobody keeps us from: another process may be busy with the first one's collection.
            jobs = [job for job in waiting(library) if worker_of(job) == worker]
            row = next((row for job in jobs if (row := do_job(library, settings, job)) is not None), None)
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


def do_all(library: Library, settings: Settings, jobs: Sequence[str], *, log: Callable[[str], None]) -> bool:
    """Do jobs that read files again, one after another, and tell the outcome of each. Whether all got done."""
    states = []
    for job in jobs:
        row = do_or_follow(library, settings, job, report=lambda row: None)
        states.append(row.state)
        log(f"{row.collection}: {row.state}, {row.files_done} of {row.files} files read again {row.error}".rstrip())
    return all(state == "done" for state in states)


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
        collection = library.lock(lock_beside(job))
        if collection is None:
            return None
        try:
            return _do(library, settings, job, report, processes) if library.ledger.jobs.start(job.id) else None
        finally:
            collection.release()
    finally:
        lock.release()


def collection_lock(collection: str) -> str:
    """The name of the lock on a collection's jobs: any name of a collection makes the name of a file."""
    return f"collection-{hashlib.sha256(collection.encode()).hexdigest()[:16]}"


def reembedding_lock(collection: str) -> str:
    """As `collection_lock`, of the jobs that build another generation."""
    return f"reembedding-{hashlib.sha256(collection.encode()).hexdigest()[:16]}"


def lock_beside(job: JobRow) -> str:
    """The lock that keeps two jobs of one kind apart. Beside those that add documents go those that embed again, which
    write into another generation, and those that read; what concerns all collections, or none, is done one by one."""
    worker = worker_of(job)
    if worker in (KEEPING_WORKER, FETCHING_WORKER):
        return worker.partition("-")[0]
    if worker in (TEACHING_WORKER, ANSWERING_WORKER, MAPPING_WORKER, ALIGNING_WORKER):
        return f"{worker.partition('-')[0]}-{hashlib.sha256(job.collection.encode()).hexdigest()[:16]}"
    return reembedding_lock(job.collection) if worker == REEMBEDDING_WORKER else collection_lock(job.collection)


def _do(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None], processes: int) -> JobRow:
    try:
        if job.kind == "reembed":
            return _reembed(library, settings, job, report)
        if job.kind == "batch":
            return _answer(library, settings, job, report)
        if job.kind in ("backup", "restore"):
            from indexer.keeping import keep

            return keep(library, settings, job, report)
        if job.kind == "fetch":
            from indexer.fetching import fetch

            return fetch(library, job, report)
        if job.kind == "map":
            from labse_search.map.job import make_map

            return make_map(library, settings, job, report)
        if worker_of(job) == ALIGNING_WORKER:
            from labse_search.align.jobs import align

            return align(library, settings, job, report)
        if job.kind in WORKERS:
            return _teach(library, settings, job, report)
        return _index(library, settings, job, report, processes)
    except UserError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        if library.job(job.id).state == "running":  # before its first file
            library.ledger.jobs.set(job.id, state="cancelled", finished=time.time())
        raise
    except Exception as error:  # the job's border: whatever it is, the job ends and the next one begins
        reference = uuid.uuid4().hex[:8]
        log.error("reference %s: job %s: %s", reference, job.id, arose_at(error))
        sentence = (
            f"Something unexpected went wrong. What was indexed is safe. The log in {library.home / 'logs'} says more "
            f"under the reference {reference}."
        )
    library.ledger.jobs.set(job.id, state="failed", error=sentence, finished=time.time(), current="", seconds_left=None)
    return library.job(job.id)


def _index(
    library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None], processes: int
) -> JobRow:
    from indexer.encoding import Stopped
    from indexer.indexing import Indexer
    from indexer.read.limits import DEFAULT_LIMITS
    from indexer.sandbox import ReaderPool
    from labse_search.encoder.loading import LazyEncoder, open_encoder
    from labse_search.encoder.pool import EncoderPool
    from labse_search.encoder.priority import QueryPriority
    from labse_search.store import open_store

    sys.setswitchinterval(SWITCH_SECONDS)
    generations = library.ledger.generations.all(job.collection)
    if job.model in {one.model for one in generations}:  # perhaps another one answers since the job was added
        job = replace(job, model=next(one.model for one in generations if one.state == "serving"))
    encoder: Encoder
    if processes > 1:
        encoder = EncoderPool(job.model, processes=processes, precision=settings.precision)
    else:
        encoder = open_encoder(job.model, precision=settings.precision)
    priority = QueryPriority(library.home / "locks" / "questions.lock")
    store = open_store(settings.store, home=library.home, api_key=settings.api_key)
    limits = replace(DEFAULT_LIMITS, file_bytes=settings.max_file_mb << 20, ocr=settings.ocr)

    ahead = ThreadPoolExecutor(1, "ahead")

    def count() -> int:  # asked at the first file that is new: it loads the weights
        if isinstance(encoder, LazyEncoder):  # torch is imported while the readers start
            ahead.submit(encoder.load)
        try:
            return reader_processes(encoder)
        except (UserError, Stopped):  # what is wrong with the model, its first batch meets again and tells
            return 1

    readers = ReaderPool(count, model=job.model, languages=encoder.languages, limits=limits)
    try:
        indexer = Indexer(
            library, store, encoder, readers, job.collection, settings.max_file_mb << 20, report=report,
            wait_for_queries=priority.wait_for_queries,
        )  # fmt: skip
        return indexer.run(job.id)
    finally:
        readers.close()
        store.close()
        # Waited for: an interpreter that ends in the middle of torch's import ends with an abort. And who encodes asks
        # for the questions' lock to the last.
        ahead.shutdown()
        priority.close()
        if isinstance(encoder, EncoderPool):
            encoder.close()


def _reembed(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    from indexer.job import Job
    from indexer.reembed import Reembedding
    from labse_search.encoder import load_encoder
    from labse_search.encoder.priority import QueryPriority
    from labse_search.store import open_store

    sys.setswitchinterval(SWITCH_SECONDS)
    encoder = load_encoder(job.model, precision=settings.precision)
    with (
        closing(QueryPriority(library.home / "locks" / "questions.lock")) as priority,
        closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store,
    ):
        wait = priority.wait_for_queries
        return Reembedding(
            Job(job.id, job.collection, library, store), encoder, report=report, wait_for_queries=wait
        ).run()


def _teach(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    from labse_search.store import open_store
    from labse_search.teach import Teaching
    from labse_search.teach.mining import Mining
    from labse_search.teach.tuning import Tuning

    if job.kind == "tune":
        environ = {**os.environ, "LABSE_STORE": settings.store, "LABSE_HOME": str(settings.home)}
        return Tuning(library, job, environ=environ, report=report).run()
    with (
        closing(Teaching(library.home)) as teaching,
        closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store,
    ):
        return Mining(library, store, job, teaching=teaching, report=report).run()


def _answer(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    from indexer.job import Job
    from labse_search.encoder import load_encoder
    from labse_search.encoder.priority import QueryPriority
    from labse_search.naming import generation_name
    from labse_search.search.batch_job import Answering
    from labse_search.search.opening import make_searcher
    from labse_search.store import open_store

    with (
        closing(QueryPriority(library.home / "locks" / "questions.lock")) as priority,
        closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store,
    ):
        info = store.info(job.collection)
        encoder = load_encoder(info.spec.model, precision=settings.precision)
        name = generation_name(job.collection, info.generation)
        searcher = make_searcher(store, encoder, name, library.home, in_bulk=True)
        own = Job(job.id, job.collection, library, store)
        return Answering(own, searcher, report=report, wait_for_queries=priority.wait_for_queries).run()


def reader_processes(encoder: Encoder) -> int:
    """How many processes read: one a core if they are what takes the time, which a small model shows by encoding
    faster than one reader segments (6,000 segments a second); else few, so that the encoder keeps the cores."""
    cores = usable_cores()
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
    """The worker's process: HOME [IDLE_SECONDS [WORKER]]. Status 0 also where another one works already."""
    write_privately()
    settings = Settings.from_env({**os.environ, "LABSE_HOME": sys.argv[1]})
    log_everything(settings.home)
    library = Library(settings.home)
    worker = sys.argv[3] if len(sys.argv) > 3 else WORKER
    lock = library.lock(worker)
    if lock is None:
        return 0
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    work(library, settings, idle_seconds=float(sys.argv[2]) if len(sys.argv) > 2 else IDLE_SECONDS, worker=worker)
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
