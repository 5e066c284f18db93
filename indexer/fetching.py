"""Fetching a model from the hub as a job: each of its files is one of the job. What broke off goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable

from indexer.job import check_requested, run_to_end
from labse_search.encoder.fetch import HubModel, fetch_file, finish, look_up
from labse_search.library import JobRow, Library, Source
from labse_search.library.records import FileOutcome

KIND = "fetch"
TELL_SECONDS = 0.3  # between two lines in the ledger
LEAST_SECONDS = 2.0  # before the time left is told


def add_fetch_job(library: Library, collection: str, model: HubModel) -> str:
    """A job that fetches this model; `collection`: the one that the person wants it for. Returns its id; that of the
    one at work where there is one."""
    for job in library.ledger.jobs.unfinished():
        if job.kind == KIND and job.model == model.name:
            return job.id
    sources = [Source("", file.path, file.size) for file in model.files]
    return library.ledger.jobs.add(KIND, collection, model.name, sources)


def fetch(library: Library, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    """Do the job, in the thread that calls. Its row at the end: done, paused, cancelled, failed with one sentence."""
    return run_to_end(library, job.id, _Fetching(library, job, report).run)


class _Fetching:
    def __init__(self, library: Library, job: JobRow, report: Callable[[JobRow], None]) -> None:
        self._library, self._job, self._report = library, job, report
        self._came = self._before = 0
        self._total = 1
        self._current = ""
        self._began = time.monotonic()
        self._told = 0.0

    def run(self) -> None:
        model = look_up(self._job.model)
        self._total = max(1, model.bytes)
        self._before = model.fetched()
        jobs = self._library.ledger.jobs
        positions = {file.source.name: file.position for file in self._library.job_files(self._job.id)}
        for file in model.files:
            self._current = file.path
            fetch_file(model, file, self._tell)
            if file.path in positions:
                jobs.set_outcome(self._job.id, positions[file.path], FileOutcome("added"))
        finish(model)
        jobs.set(self._job.id, share=1.0)

    def _tell(self, came: int) -> None:
        self._came += came
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        check_requested(self._library, self._job.id)
        done, seconds = self._before + self._came, now - self._began
        known = seconds >= LEAST_SECONDS and self._came > 0
        left = (self._total - done) * seconds / self._came if known else None
        self._library.ledger.jobs.set(
            self._job.id, share=min(1.0, done / self._total), current=self._current, seconds_left=left
        )
        self._report(self._library.job(self._job.id))
