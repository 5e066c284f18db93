"""Long work with translations as jobs: finding them, and copies, among a collection's documents, aligning two of them.

Both outlive the page. A pause and a cancel are heard between two documents, and between batches of sentences; what is
begun again begins from the start, since the longest of it takes minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from indexer.job import check_requested, run_to_end
from labse_search.align.copies import find_copies
from labse_search.align.documents import align_documents
from labse_search.align.kept import Alignments, kept_from
from labse_search.align.known import documents_digest, keep_translations, known_translations
from labse_search.align.translations import find_translations
from labse_search.encoder import Encoder, load_encoder
from labse_search.library import DocumentRow, JobRow, Library, Source
from labse_search.library.records import FileOutcome
from labse_search.records import UNKNOWN_LANGUAGE
from labse_search.settings import Settings
from labse_search.store import Store, open_store

FIND, ALIGN = "translations", "align"  # kinds of jobs
TOLD_SECONDS = 0.5  # between two lines about how far it is


def add_find_job(library: Library, collection: str, rows: Sequence[DocumentRow] | None = None) -> str | None:
    """A job that looks for translations and copies, where documents changed since somebody looked; None where none is
    needed, or one is there already. One that failed or was cancelled for these very documents is not tried again by
    itself. `rows`: the collection's documents, where the caller has them."""
    if any(job.kind == FIND and job.collection == collection for job in library.ledger.jobs.unfinished()):
        return None
    rows = library.documents(collection) if rows is None else rows
    known = known_translations(library, collection, rows)
    if known is not None and known.documents == documents_digest(library, collection, rows):
        return None
    if len(rows) < 2:
        return None
    before = library.jobs(collection, limit=1, kinds=(FIND,))
    newest = max((row.added for row in rows), default=0.0)
    if before and before[0].state in ("failed", "cancelled") and before[0].created > newest:
        return None
    model = library.ledger.collections.all()[collection][0]
    return library.ledger.jobs.add(FIND, collection, model, [Source("", collection, 1)])


def add_align_job(library: Library, collection: str, source: str, target: str) -> str:
    """A job that aligns two documents, by their ids. Returns its id; that of the one at work where there is one."""
    name = f"{source} {target}"
    for job in library.ledger.jobs.unfinished():
        if job.kind == ALIGN and job.collection == collection:
            if any(file.source.name == name for file in library.job_files(job.id)):
                return job.id
    model = library.ledger.collections.all()[collection][0]
    return library.ledger.jobs.add(ALIGN, collection, model, [Source("", name, 1)])


def align(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    """Do one job of either kind; its row at the end."""

    def encoder() -> Encoder:  # of the generation that answers now
        return load_encoder(store.info(job.collection).spec.model, precision=settings.precision)

    with closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store:
        return Aligning(library, store, job, encoder, report=report).run()


class Aligning:
    """One job of either kind, in the thread that calls `run`. `encoder`: asked for where sentences are encoded."""

    def __init__(
        self,
        library: Library,
        store: Store,
        job: JobRow,
        encoder: Callable[[], Encoder],
        *,
        report: Callable[[JobRow], None] = lambda job: None,
    ) -> None:
        self._library, self._store, self._job, self._encoder, self._report = library, store, job, encoder, report
        self._found = 0
        self._told = self._began = time.monotonic()

    def run(self) -> JobRow:
        """The job's row at its end: done, paused, cancelled, or failed with one sentence."""
        work = self._find if self._job.kind == FIND else self._align
        return run_to_end(self._library, self._job.id, work, segments=lambda: self._found)

    def _find(self) -> None:
        collection = self._job.collection
        rows = self._library.documents(collection)
        digest = documents_digest(self._library, collection, rows)
        copies = find_copies(self._store, collection)
        languages = {code for row in rows for code in row.languages} - {UNKNOWN_LANGUAGE}
        pairs = find_translations(self._store, collection, progress=self._tell) if len(languages) > 1 else []
        keep_translations(self._library, collection, digest, pairs, copies)
        self._done(len(pairs))

    def _align(self) -> None:
        collection = self._job.collection
        source, _, target = self._library.job_files(self._job.id)[0].source.name.partition(" ")
        names = {row.document: row.names[0] if row.names else row.title for row in self._library.documents(collection)}
        found = align_documents(self._encoder(), self._store, collection, (source, target), progress=self._tell)
        titles = names.get(source, source), names.get(target, target)
        Alignments(self._library.home).put(kept_from(collection, (source, target), titles, found))
        self._done(len(found.pairs()))

    def _done(self, found: int) -> None:
        self._found = found
        self._library.ledger.jobs.set_outcome(self._job.id, 0, FileOutcome("added", segments=found))

    def _tell(self, done: int, total: int) -> None:
        check_requested(self._library, self._job.id)
        now = time.monotonic()
        if now - self._told >= TOLD_SECONDS and done:
            self._told = now
            left = (now - self._began) * (total - done) / done
            current = f"{100 * done // max(total, 1)} %"
            self._library.ledger.jobs.set(self._job.id, current=current, seconds_left=left)
            self._report(self._library.job(self._job.id))
