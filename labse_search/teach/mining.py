"""Mining a collection as a job: every two of its languages one after the other, what is found on the review list.

A pair of languages counts as a file of the job. A killed job goes on with the first one that it had not written down;
a pause and a cancel are heard between blocks of sentences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from indexer.job import Job, run_to_end
from labse_search.library import JobFile, JobRow, Library, Source
from labse_search.library.records import FileOutcome
from labse_search.mine.collection import read_collection
from labse_search.mine.language_pairs import Side, language_pairs, mine_between
from labse_search.store import Store
from labse_search.teach.state import Teaching

KIND = "mine"
BETWEEN = "–"  # two codes in the name of a job's file


def add_mine_job(library: Library, store: Store, collection: str, languages: Sequence[str] = ()) -> str:
    """A job that mines every two of these languages, or of all that the collection has enough passages of. Returns its
    id; that of the one at work where there is one. UserError where there are fewer than two languages."""
    for job in library.ledger.jobs.unfinished():
        if job.kind == KIND and job.collection == collection:
            return job.id
    combined = language_pairs(store, collection, languages)
    counts = store.facet(collection, "language")
    sources = [Source("", BETWEEN.join(codes), counts.get(codes[0], 0) * counts.get(codes[1], 0)) for codes in combined]
    return library.ledger.jobs.add(KIND, collection, store.info(collection).spec.model, sources)


class Mining:
    """One job, in the thread that calls `run`."""

    def __init__(
        self,
        library: Library,
        store: Store,
        job: JobRow,
        *,
        teaching: Teaching,
        report: Callable[[JobRow], None] = lambda job: None,
    ) -> None:
        self._library = library
        self._store = store
        self._job = Job(job.id, job.collection, library, store)
        self._teaching = teaching
        self._report = report
        self._found = job.segments
        self._sides: dict[str, Side] = {}
        self._began = time.monotonic()
        self._before = job.bytes_done

    def run(self) -> JobRow:
        """The job's row at its end: done, paused, cancelled, or failed with one sentence."""
        return run_to_end(self._library, self._job.id, self._mine_all, segments=lambda: self._found)

    def _mine_all(self) -> None:
        for file in self._library.job_files(self._job.id, outcomes=("",)):
            self._job.check_requested()
            self._mine(file)

    def _mine(self, file: JobFile) -> None:
        source, _, target = file.source.name.partition(BETWEEN)
        self._tell(file, 0.0)
        pairs = mine_between(
            self._side(source),
            self._side(target),
            (source, target),
            progress=lambda done, total: self._tell(file, done / total),
        )
        self._teaching.pairs.add(self._job.collection, pairs)
        self._found += len(pairs)
        self._library.ledger.jobs.set_outcome(self._job.id, file.position, FileOutcome("added", segments=len(pairs)))
        self._library.ledger.jobs.set(self._job.id, segments=self._found)
        self._report(self._library.job(self._job.id))

    def _side(self, language: str) -> Side:
        if language not in self._sides:
            self._sides[language] = read_collection(self._store, self._job.collection, language)
        return self._sides[language]

    def _tell(self, file: JobFile, share: float) -> None:
        """How long it will take, by the cells of the similarity matrices that are done."""
        self._job.check_requested()
        row = self._library.job(self._job.id)
        done = row.bytes_done - self._before + share * file.source.size
        left = (row.bytes - row.bytes_done - share * file.source.size) * (time.monotonic() - self._began)
        seconds = left / done if done > 0 else None
        self._library.ledger.jobs.set(self._job.id, current=file.source.name, seconds_left=seconds)
        self._report(self._library.job(self._job.id))
