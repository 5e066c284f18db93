"""Building the next generation of a collection: the same documents by another model, beside the one that answers.

From the texts that the library keeps, so that no original is read a second time; where both models cut texts alike, the
segments are taken as they are. What is added or removed meanwhile is caught up with before the end. A killed job goes
on with the first document that it had not written down.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from indexer.documents import VERSION, stored_segments, wrong_documents
from indexer.job import Job, run_to_end
from indexer.progress import Progress
from indexer.segment import Segmenter
from indexer.sources import folders
from labse_search.encoder import Encoder, load_tokenizer
from labse_search.errors import UserError
from labse_search.languages.identify import LanguageIdentifier
from labse_search.library import DocumentRow, JobFile, JobRow, Library, Source, segments_digest
from labse_search.library.records import FileOutcome, Outcome
from labse_search.naming import generation_name
from labse_search.records import CollectionSpec, Filter, StoredSegment

FIRST_BATCH, BATCH = 32, 256  # segments that are written down together: few at first, and twice as many each time
QUICK_SECONDS = 1.0  # that a batch took which lets the next one be larger: a kill costs no more than about two of them
SAMPLE = 16  # segments whose vectors are computed again before the generation counts as whole
SAME_COSINE = 0.999  # of one text encoded twice: batches of other shapes differ by 1e-5 in fp32, 1e-3 in bf16

log = logging.getLogger("labse_search.jobs")


def add_reembed_job(library: Library, collection: str, *, model: str, fingerprint: str) -> str | None:
    """A job that builds a generation by this model, or goes on with the one that there is. Returns its id; None if
    there is a whole one already."""
    generations = library.ledger.generations
    known = [one for one in generations.all(collection) if one.fingerprint == fingerprint]
    if not generations.all(collection):
        raise UserError(f"There is no collection {collection!r} to embed again. Add documents first.")
    whole = [one for one in known if one.state == "serving" or not generations.missing(collection, one.number)]
    if any(one.state in ("serving", "ready") for one in whole):
        return None
    for one in known:
        if one.job and any(job.id == one.job for job in library.ledger.jobs.unfinished()):
            return one.job
    with library.ledger.transaction():
        number = known[-1].number if known else generations.add(collection, model=model, fingerprint=fingerprint)
        sources = _sources(library, collection, generations.missing(collection, number))
        job = library.ledger.jobs.add("reembed", collection, model, sources)
        generations.set_state(collection, number, "building", job=job)
    return job


@dataclass
class _Waiting:
    """A document whose segments wait to be encoded."""

    file: JobFile
    row: DocumentRow  # as it will be in the new generation
    left: int


class Reembedding:
    """One job, in the thread that calls `run`."""

    def __init__(
        self,
        job: Job,
        encoder: Encoder,
        *,
        report: Callable[[JobRow], None] = lambda job: None,
        wait_for_queries: Callable[[], None] | None = None,
    ) -> None:
        """`wait_for_queries`: called while texts are encoded, so that questions go first."""
        self._wait_for_queries = wait_for_queries
        self._library = library = job.library
        self._store = job.store
        self._encoder = encoder
        self._job = job
        self._collection = job.collection
        self._generation = library.ledger.generations.of_job(job.collection, job.id)
        self._target = generation_name(job.collection, self._generation.number)
        self._progress = Progress(self._job, report)
        self._stored = library.job(job.id).segments
        self._has = {*library.ledger.generations.segments(job.collection, self._generation.number)}
        self._without_text: set[str] = set()
        self._queue: deque[tuple[_Waiting, StoredSegment]] = deque()
        self._batch = FIRST_BATCH

    def run(self) -> JobRow:
        """The job's row at its end: done, paused, cancelled, or failed with one sentence."""
        return run_to_end(self._library, self._job.id, self._build, segments=lambda: self._stored)

    def _build(self) -> None:
        self._library.ledger.collections.check_store(self._collection, self._store.location)
        spec = CollectionSpec(self._encoder.dimension, self._encoder.fingerprint, self._encoder.model)
        self._store.create(self._target, spec)
        self._same_cut = self._cuts_alike()
        self._segmenter = Segmenter(self._encoder.tokenizer, LanguageIdentifier(self._encoder.languages))
        generations = self._library.ledger.generations
        while True:
            for file in self._library.job_files(self._job.id, outcomes=("",)):
                self._job.check_requested()
                self._take(file)
                while len(self._queue) >= self._batch:
                    self._encode()
            while self._queue:
                self._encode()
            missing = [
                one
                for one in generations.missing(self._collection, self._generation.number)
                if one not in self._without_text
            ]
            if not missing:
                break
            self._has.difference_update(missing)  # removed and put back since
            self._library.ledger.jobs.extend(self._job.id, _sources(self._library, self._collection, missing))
        self._verify()
        self._store.optimize(self._target, stop=self._job.is_requested)
        generations.set_state(self._collection, self._generation.number, "ready")

    def _cuts_alike(self) -> bool:
        """Whether the segments of the serving generation can be taken as they are."""
        serving = self._store.info(self._collection).spec.model
        try:
            before = load_tokenizer(serving)
        except UserError:  # that model is no longer there
            return False
        now = self._encoder.tokenizer
        return (before.identity, before.max_tokens) == (now.identity, now.max_tokens)

    def _take(self, file: JobFile) -> None:
        """Queue the segments of a document, or write down why there are none."""
        document = file.source.path.rpartition("/")[2].rpartition("\\")[2]
        ledger = self._library.ledger
        row = ledger.documents.get(self._collection, document)
        if row is None or row.state != "stored":
            ledger.jobs.set_outcome(self._job.id, file.position, FileOutcome("removed", document=document))
            return
        if document in self._has:
            ledger.jobs.set_outcome(self._job.id, file.position, FileOutcome("unchanged", document=document))
            return
        try:
            row, segments = self._cut(row)
        except FileNotFoundError:
            self._without_text.add(document)
            ledger.jobs.set_outcome(
                self._job.id, file.position, FileOutcome("skipped", reason="vanished", document=document)
            )
            return
        waiting = _Waiting(file, row, len(segments))
        self._queue.extend((waiting, segment) for segment in segments)
        if not segments:
            self._finish(waiting)

    def _cut(self, row: DocumentRow) -> tuple[DocumentRow, list[StoredSegment]]:
        if self._same_cut:
            segments = list(self._store.segments(self._collection, Filter(documents=(row.document,))))
            if segments_digest(one.segment for one in segments) == row.digest:
                return row, segments
        split = self._segmenter.split(self._library.originals.text(row.document))
        row = replace(
            row,
            embedded=sum(segment.end - segment.start for segment in split.segments),
            skipped=split.skipped,
            segments=len(split.segments),
            languages=dict(Counter(segment.language for segment in split.segments).most_common()),
            digest=segments_digest(split.segments),
        )
        return row, stored_segments(row, row.names, split)

    def _encode(self) -> None:
        """One batch: encoded, durable, and every document that it completes written down."""
        self._job.check_requested()
        started = time.monotonic()
        batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
        texts = [stored.segment.text for _, stored in batch]
        vectors = self._encoder.encode(texts, "document", check_cancelled=self._wait_for_queries)
        segments = [stored for _, stored in batch]
        self._store.upsert(self._target, segments, vectors, fingerprint=self._encoder.fingerprint)
        self._stored += len(batch)
        for waiting, _ in batch:
            waiting.left -= 1
            if not waiting.left:
                self._finish(waiting)
        self._progress.tell(self._stored, batch[-1][0].row.title)
        self._batch = next_batch(self._batch, time.monotonic() - started)

    def _finish(self, waiting: _Waiting) -> None:
        """Write down that the generation has the document, unless it was removed or renamed meanwhile."""
        ledger, document = self._library.ledger, waiting.row.document
        with ledger.transaction():
            now = ledger.documents.get(self._collection, document)
            there = now is not None and now.state == "stored"
            if there:
                ledger.generations.put_document(waiting.row, self._generation.number, version=VERSION)
            outcome: Outcome = "added" if there else "removed"
            segments = waiting.row.segments if there else 0
            ledger.jobs.set_outcome(
                self._job.id, waiting.file.position, FileOutcome(outcome, document=document, segments=segments)
            )
        if there:
            self._has.add(document)
        if not there:
            self._store.delete(self._target, Filter(documents=(document,)))
        elif now is not None and now.names != waiting.row.names:
            self._store.rename(self._target, document, now.names, folders(now.names))

    def _verify(self) -> None:
        """UserError unless the store holds what was written down, and a sample of its vectors is this model's."""
        if self._without_text:
            raise UserError(
                f"The texts of {len(self._without_text):,} documents are no longer kept. Add those files again, then "
                "embed again."
            )
        known = self._library.ledger.generations.segments(self._collection, self._generation.number)
        wrong = wrong_documents(self._library, self._store, self._generation)
        unknown = [document for document in wrong if document not in known]
        if unknown:  # of an earlier life of the generation: nothing that is written down is theirs
            self._store.delete(self._target, Filter(documents=tuple(unknown)))
            wrong = wrong_documents(self._library, self._store, self._generation)
        if wrong:
            self._library.ledger.generations.forget_documents(self._collection, wrong, self._generation.number)
            raise UserError(f"The store holds other passages of {len(wrong):,} documents than were stored. Try again.")
        sample = list(islice(self._store.segments(self._target), SAMPLE))
        if sample:
            stored = self._store.vectors(self._target, [one.point for one in sample])
            again = self._encoder.encode([one.segment.text for one in sample], "document")
            cosines = [float(np.dot(stored[one.point], row)) for one, row in zip(sample, again, strict=True)]
            if min(cosines) < SAME_COSINE:
                raise UserError(f"Vectors in the new generation are not this model's (cosine {min(cosines):.4f}).")


def next_batch(size: int, seconds: float) -> int:
    """How many segments come next, where so many took so long: on a busy machine, whose worker may be killed every few
    seconds, 256 can be more than it ever gets to the end of."""
    if seconds > 2 * QUICK_SECONDS:
        return max(FIRST_BATCH, size // 2)
    return min(BATCH, 2 * size) if seconds < QUICK_SECONDS else size


def _sources(library: Library, collection: str, documents: Sequence[str]) -> list[Source]:
    sources = []
    for document in documents:
        row = library.ledger.documents.get(collection, document)
        if row is not None:
            path = str(library.originals.path(document))
            sources.append(Source(path, row.names[0] if row.names else row.title, row.bytes))
    return sources
