"""From what was read of a file to the segments that must be encoded and stored for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from indexer.commit import Committer
from indexer.documents import VERSION, document_row, stored_segments
from indexer.job import IncomingDocument, IncomingSegment, Inspection, Job, remove_surplus
from indexer.segment import Split
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Filter
from labse_search.similarity import Vectors

Reading = tuple[Extraction, Split]


class Intake:
    """Works in the job's thread. `wait` brings a reading, however long it takes."""

    def __init__(self, job: Job, committer: Committer, wait: Callable[[Future[Reading]], Reading]) -> None:
        self._job = job
        self._committer = committer
        self._wait = wait

    def segments(self, file: Inspection) -> list[IncomingSegment] | None:
        """The segments to encode and store; one without a segment if all are stored already, none if the document is
        on its way already. None where the file has an outcome, which must be written."""
        if file.reading is None:
            return None
        if self._committer.join(file):  # the same content twice in one job: one document with two names
            return []
        job = self._job
        if job.library.ledger.documents.version(job.collection, file.document) == VERSION:  # since the first look
            file.outcome = "renamed"
            return None
        try:
            extraction, split = self._wait(file.reading)
            if not split.segments:
                raise Unreadable("no_text")
        except Unreadable as problem:
            file.outcome, file.reason, file.detail = "skipped", problem.code, problem.detail
            if problem.code == "vanished" and Path(file.file.source.path).exists():
                file.outcome = "renamed"  # only our copy was taken away, with another document: inspect it again
            return None
        return self._left(file, extraction, split)

    def _left(self, file: Inspection, extraction: Extraction, split: Split) -> list[IncomingSegment]:
        """The segments of a document that are not stored yet; the document is on its way from here on."""
        job = self._job
        row = document_row(job.collection, file, extraction, split)
        names = sorted({file.name, *job.library.ledger.names.of(job.collection, file.document)})
        there = self._stored_before(file.document, len(split.segments))
        left = [
            (one, ids)
            for one, ids in zip(stored_segments(row, names, split), split.ids, strict=True)
            if there.get(one.segment.index) != one.segment.text
        ]
        # What a killed run left may have other names: without any here, the store is told again at the end.
        names = [] if there else names
        document = IncomingDocument(split.tokenizer, [file], row, extraction, names, left=len(left))
        self._committer.add(document)
        known = self._encoded_before(file) if left else {}
        segments = [IncomingSegment(document, one, ids, known.get(one.segment.text)) for one, ids in left]
        return segments or [IncomingSegment(document)]

    def _encoded_before(self, file: Inspection) -> dict[str, Vectors]:
        """Text → vector of the document that the file's name means until now: of a file that changed, only those
        passages are encoded that it did not hold before. Empty if the name is new, or the document is read again."""
        job = self._job
        known = job.library.ledger.names.get(job.collection, file.name)
        if known is None or known[0] == file.document:
            return {}
        if job.library.ledger.documents.version(job.collection, known[0]) != VERSION:
            return {}
        where = Filter(documents=(known[0],))
        stored = job.patiently(lambda: list(job.store.segments(job.collection, where)))
        vectors = job.patiently(lambda: job.store.vectors(job.collection, [one.point for one in stored]))
        return {one.segment.text: vectors[one.point] for one in stored if one.point in vectors}

    def _stored_before(self, document: str, segments: int) -> dict[int, str]:
        """Segments of a document that a killed run left in the store: index → text. Those that the document does not
        have (it was cut another way then) are taken out."""
        job = self._job
        if not job.library.ledger.documents.is_storing(job.collection, document):
            return {}
        remove_surplus(job, document, segments)
        stored = job.patiently(lambda: list(job.store.segments(job.collection, Filter(documents=(document,)))))
        return {one.segment.index: one.segment.text for one in stored}
