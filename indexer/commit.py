"""Writing what a job brings: segments into the store, outcomes and names into the ledger, in the order that a crash
may interrupt at any point (see indexer.documents).
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from indexer.claims import Claims
from indexer.documents import VERSION, point_name
from indexer.encoding import Stopped
from indexer.inspect import TRIES
from indexer.job import IncomingDocument, IncomingSegment, Inspection, Job, remove_surplus
from indexer.private import PrivateFiles
from indexer.sources import is_gone
from labse_search.encoder import Encoder
from labse_search.library import JobFile
from labse_search.library.records import FileOutcome, FileStamp
from labse_search.records import FACTS, Filter
from labse_search.similarity import Vectors


class Committer:
    """Works in the writer's thread, one call after another; `join`, `add` and `current` are for the job's thread."""

    def __init__(self, job: Job, claims: Claims, encoder: Encoder, *, stored: int) -> None:
        self.stored = stored  # segments of the job so far
        self.again: deque[JobFile] = deque()  # to be inspected again: what they were about to be was taken away
        self._job = job
        self._claims = claims
        self._encoder = encoder
        self._private = PrivateFiles(job.library.home)
        self._lock = threading.Lock()
        self._incoming: dict[str, IncomingDocument] = {}
        self._tries: Counter[int] = Counter()
        self._failed = False  # a write failed: those behind it must not happen

    # ---- the job's thread

    def join(self, file: Inspection) -> bool:
        """Whether the file's content is on its way already: it becomes one more name of that document then."""
        with self._lock:
            document = self._incoming.get(file.document)
            if document is not None:
                file.outcome = "duplicate"
                document.files.append(file)
        return document is not None

    def add(self, document: IncomingDocument) -> None:
        """Any thread: the document's batches will come."""
        with self._lock:
            self._incoming[document.row.document] = document

    def current(self) -> str:
        """The title of a document that is on its way, "" if none is."""
        with self._lock:
            return next((document.row.title for document in self._incoming.values()), "")

    # ---- the writer's thread

    def store(self, batch: Sequence[IncomingSegment], encoded: Future[Vectors] | None) -> None:
        """Make a batch durable, and finish the documents that it completes. Does nothing after a write that failed."""
        if self._failed:
            return
        self._failed = True
        try:
            vectors = _vectors(batch, encoded.result() if encoded is not None else None)
        except Stopped:
            return
        documents = list(dict.fromkeys(item.document for item in batch))
        self._begin([document for document in documents if not document.begun])
        segments = [item.segment for item in batch if item.segment is not None]
        if vectors is not None:
            job = self._job
            job.patiently(
                lambda: job.store.upsert(job.collection, segments, vectors, fingerprint=self._encoder.fingerprint)
            )
        for item in batch:
            item.document.left -= item.segment is not None
        self._finish([document for document in documents if document.left == 0])
        self.stored += len(segments)
        self._failed = False

    def conclude(self, file: Inspection) -> None:
        """Write the outcome of a file that needs no reading, or gives no text."""
        ledger, collection = self._job.library.ledger, self._job.collection
        unsettled, gone = list[str](), False
        with ledger.transaction():
            if file.document and file.outcome in ("renamed", "unchanged"):
                gone = ledger.documents.version(collection, file.document) != VERSION  # since the first look
                lost = None if gone else self._point(file)
                unsettled = [lost] if lost else []
                if file.outcome == "renamed" and not gone:
                    file.outcome = "renamed" if self._retire_moved(file) else "duplicate"
                    ledger.names.set_unsettled(collection, [file.document])
                    unsettled.append(file.document)
            if not gone:
                self._write_outcome(file, 0)
        if gone:
            self._inspect_again(file)
            return
        if file.outcome == "skipped" and file.document:
            self._claims.forget_original(file.document)
        self._claims.release(file.document)
        self._claims.names_changed(unsettled)
        self._discard_upload(file)

    def _begin(self, documents: Sequence[IncomingDocument]) -> None:
        job, library = self._job, self._job.library
        for document in documents:
            identity = document.row.document
            document.begun = True
            for file in document.files[:1]:  # another collection may just have erased it
                library.originals.keep(Path(file.file.source.path), identity)
            library.originals.keep_text(identity, document.extraction)
            document.replaces = library.ledger.documents.version(job.collection, identity) not in (-1, VERSION)
        is_struck = library.ledger.jobs.is_struck
        with library.ledger.transaction():
            for document in documents:  # unless a person took it out after it was inspected
                if not all(is_struck(job.id, file.file.position) for file in document.files):
                    library.ledger.documents.put(document.row, version=VERSION, job=job.id)

    def _finish(self, documents: Sequence[IncomingDocument]) -> None:
        """The segments are durable: say so in the ledger, in one transaction, then let go of what they replace."""
        job, ledger, unsettled = self._job, self._job.library.ledger, list[str]()
        with self._lock:  # from here on nobody adds a name to them
            for document in documents:
                self._incoming.pop(document.row.document)
        for document in documents:
            if document.replaces:
                remove_surplus(job, document.row.document, document.row.segments)
        taken = []
        with ledger.transaction():
            for document in documents:
                # A person may have taken a document out while it was on its way in: then it stays out.
                if ledger.documents.is_storing(job.collection, document.row.document, job.id):
                    unsettled += self._say_stored(document)
                else:
                    taken.append(document.row.document)
                    self._say_removed(document)
        if taken:
            job.patiently(lambda: job.store.delete(job.collection, Filter(documents=tuple(taken))))
        self._claims.names_changed(unsettled)
        for file in [file for document in documents for file in document.files]:
            self._claims.release(file.document)
            self._discard_upload(file)

    def _say_stored(self, document: IncomingDocument) -> list[str]:
        """Inside a transaction. Returns the documents whose names the store has to learn."""
        ledger, collection, identity = self._job.library.ledger, self._job.collection, document.row.document
        unsettled = []
        ledger.documents.set_state(collection, identity, "stored")
        for file in document.files:
            lost = self._point(file)
            file.outcome = file.outcome or ("replaced" if lost else "added")
            losses = [note for note in document.row.notes if note.code not in FACTS]
            file.detail = "; ".join(f"{note.code}: {note.detail}" for note in losses)
            self._write_outcome(file, document.row.segments)
            unsettled += [lost] if lost else []
        if ledger.names.of(collection, identity) != document.names:
            ledger.names.set_unsettled(collection, [identity])
            unsettled.append(identity)
        return unsettled

    def _say_removed(self, document: IncomingDocument) -> None:
        """Inside a transaction."""
        for file in document.files:
            file.outcome = "removed"
            if self._job.library.ledger.names.get(self._job.collection, file.name) is None:
                self._point(file)  # so that it can be put back
            self._write_outcome(file, 0)

    def _inspect_again(self, file: Inspection) -> None:
        self._claims.release(file.document)
        self._tries[file.file.position] += 1
        if self._tries[file.file.position] < TRIES:
            self.again.append(file.file)
        else:
            file.outcome, file.reason = "skipped", "changing"
            self._write_outcome(file, 0)

    def _point(self, file: Inspection) -> str | None:
        """Let the file's name mean its document. Returns the document that lost the name, if another one did."""
        library, collection, source = self._job.library, self._job.collection, file.file.source
        path, size, mtime_ns = source.path, file.size, file.mtime_ns
        if source.kept or Path(path).is_relative_to(library.home):  # our own copy says nothing of where it was
            known = library.ledger.names.get(collection, file.name)
            same = known is not None and known[0] == file.document
            _, path, size, mtime_ns = known if known is not None and same else ("", "", 0, 0)
        return point_name(library, collection, file.name, file.document, FileStamp(path, size, mtime_ns))

    def _retire_moved(self, file: Inspection) -> bool:
        """Inside a transaction. Whether names of the file's document went, because their own files are gone: the file
        was moved or renamed, or a folder above it."""
        names, collection = self._job.library.ledger.names, self._job.collection
        moved = False
        for name in names.of(collection, file.document):
            known = names.get(collection, name)
            if name != file.name and known is not None and known[1] and is_gone(known[1]):
                names.drop(collection, name)
                moved = True
        return moved

    def _discard_upload(self, file: Inspection) -> None:
        """An upload was kept in the library: its temporary copy goes."""
        path = Path(file.file.source.path)
        if file.file.source.kept and self._private.is_upload(path):
            path.unlink(missing_ok=True)

    def _write_outcome(self, file: Inspection, segments: int) -> None:
        stored = segments if file.outcome in ("added", "replaced") else 0
        outcome = FileOutcome(file.outcome, file.reason, file.detail, file.document, stored)
        self._job.library.ledger.jobs.set_outcome(self._job.id, file.file.position, outcome)


def _vectors(batch: Sequence[IncomingSegment], encoded: Vectors | None) -> Vectors | None:
    """Those that are known and those that were encoded, in the order of the batch; None if it has none at all."""
    if all(item.vector is None for item in batch):
        return encoded
    fresh = iter(encoded if encoded is not None else ())
    return np.stack([item.vector if item.vector is not None else next(fresh) for item in batch])
