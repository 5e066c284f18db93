"""Answering a table of questions as a job: each question counts as a file of it, its answer is written down at once.

Answers go line by line into HOME/batches/JOB.jsonl, each flushed to the disk before the ledger calls its question done:
a killed job goes on with the first question that it has not, and a question that was answered twice counts once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from indexer.job import Job, run_to_end
from labse_search.errors import UserError
from labse_search.library import JobFile, JobRow, Library, Source
from labse_search.library.records import FileOutcome
from labse_search.search.batch import answer_rows
from labse_search.search.rows import Row
from labse_search.search.searcher import Searcher
from labse_search.store import Store

KIND = "batch"


def add_batch_job(library: Library, store: Store, collection: str, questions: Sequence[str]) -> str:
    """A job that answers these questions from the collection. Returns its id. Answers of forgotten jobs go."""
    sources = [Source("", question, 1) for question in questions]
    job = library.ledger.jobs.add(KIND, collection, store.info(collection).spec.model, sources)
    kept = {row.id for row in library.jobs(limit=1000, kinds=(KIND,))}
    for file in answers_file(library, job).parent.glob("*.jsonl"):
        if file.stem not in kept:
            file.unlink(missing_ok=True)
    return job


def answers_file(library: Library, job: str) -> Path:
    """Where the job's answers lie; there is none before its first answer."""
    return library.home / "batches" / f"{job}.jsonl"


def read_answers(library: Library, job: str) -> list[Row]:
    """What is answered so far, in the order of the questions. UserError if there is no such batch."""
    if library.job(job).kind != KIND:
        raise UserError(f"The job {job!r} answers no questions.")
    answered = dict(_lines(answers_file(library, job)))
    return [row for position in sorted(answered) for row in answered[position]]


class Answering:
    """One job, in the thread that calls `run`."""

    def __init__(
        self,
        job: Job,
        searcher: Searcher,
        *,
        report: Callable[[JobRow], None] = lambda job: None,
        wait_for_queries: Callable[[], None] = lambda: None,
    ) -> None:
        """`wait_for_queries`: called before each question, so that those of a person go first."""
        self._library = job.library
        self._searcher = searcher
        self._job = job
        self._report = report
        self._wait_for_queries = wait_for_queries
        row = job.library.job(job.id)
        self._left = row.files - row.files_done

    def run(self) -> JobRow:
        """The job's row at its end: done, paused, cancelled, or failed with one sentence."""
        return run_to_end(self._library, self._job.id, self._answer)

    def _answer(self) -> None:
        file = answers_file(self._library, self._job.id)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        whole = file.read_bytes().endswith(b"\n") if file.exists() else True
        began = time.monotonic()
        with file.open("ab") as lines:
            if not whole:  # a kill in the middle of a line
                lines.write(b"\n")
            for done, asked in enumerate(self._library.job_files(self._job.id, outcomes=("",)), 1):
                self._job.check_requested()
                self._wait_for_queries()
                self._one(asked, lines.write)
                lines.flush()
                os.fsync(lines.fileno())
                self._tell(asked, done, time.monotonic() - began)

    def _one(self, asked: JobFile, write: Callable[[bytes], object]) -> None:
        number = asked.position + 1
        rows = self._job.patiently(lambda: answer_rows(self._searcher, number, asked.source.name))
        write(json.dumps({"position": asked.position, "rows": rows}, ensure_ascii=False).encode() + b"\n")

    def _tell(self, asked: JobFile, done: int, seconds: float) -> None:
        jobs = self._library.ledger.jobs
        jobs.set_outcome(self._job.id, asked.position, FileOutcome("added"))
        jobs.set(self._job.id, current=asked.source.name[:200], seconds_left=seconds / done * (self._left - done))
        self._report(self._library.job(self._job.id))


def _lines(file: Path) -> Iterator[tuple[int, list[Row]]]:
    """(position, rows) of every whole line."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:  # cut short by a kill; its question was asked again
            continue
        yield int(found["position"]), list(found["rows"])
