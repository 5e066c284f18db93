"""The worker: a process of its own that does waiting jobs, one after another, and then ends.

    python -m indexer.jobs HOME

The app starts it when there is work; it outlives the browser's tab and the app. A job belongs to whoever holds its
lock, and the system frees the lock of a process that dies: the next worker goes on where that one was.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from labse_search.errors import UserError
from labse_search.library import JobRow, Library
from labse_search.settings import Settings

log = logging.getLogger("labse_search.jobs")

IDLE_SECONDS = 20  # how long a worker waits for another job before it ends
NICENESS = 10  # searching comes first


def ensure_worker(library: Library, environ: Mapping[str, str]) -> None:
    """Start a worker if there is a job to do and nobody does it. Returns at once."""
    if not any(waiting(library)):
        return
    lock = library.lock("worker")
    if lock is None:
        return
    lock.release()  # the worker takes it; a second one that comes at the same moment ends at once
    logs = library.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "worker.log").open("ab") as output:
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
        job = next(iter(waiting(library)), None)
        if job is None:
            time.sleep(0.5)
            continue
        row = do_job(library, settings, job)
        if row is not None:
            done += 1
            log.info("job %s: %s, %d segments %s", row.id, row.state, row.segments, row.error)
        last = time.monotonic()
    return done


def do_job(
    library: Library,
    settings: Settings,
    job: JobRow,
    *,
    report: Callable[[JobRow], None] = lambda job: None,
) -> JobRow | None:
    """Do one job, here. None if somebody else has it. What is heavy is imported now."""
    lock = library.lock(f"job-{job.id}")
    if lock is None:
        return None
    try:
        if library.job(job.id).state not in ("queued", "running"):
            return None
        try:
            return _index(library, settings, job, report)
        except UserError as error:
            library.ledger.set_job(job.id, state="failed", error=str(error), finished=time.time())
            return library.job(job.id)
    finally:
        lock.release()


def _index(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    from indexer.pipeline import Pipeline
    from indexer.worker import ReaderPool
    from labse_search.encoder import load_encoder
    from labse_search.store import open_store

    encoder = load_encoder(job.model, precision=settings.precision)
    store = open_store(settings.store, home=library.home, api_key=settings.api_key)
    readers = ReaderPool(reader_processes(), model=job.model)
    try:
        pipeline = Pipeline(library, store, encoder, readers, job.collection, settings.max_file_mb << 20, report=report)
        return pipeline.run(job.id)
    finally:
        readers.close()
        store.close()


def reader_processes() -> int:
    """One core reads ahead of the encoder; more only where there are many."""
    return max(1, len(os.sched_getaffinity(0)) // 4) if hasattr(os, "sched_getaffinity") else 1


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = Settings.from_env({**os.environ, "LABSE_HOME": sys.argv[1]})
    library = Library(settings.home)
    lock = library.lock("worker")
    if lock is None:
        return 0
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    work(library, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
