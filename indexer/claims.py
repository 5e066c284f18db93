"""Which documents the files of a job are about to be.

Between a first look that finds a document in the collection and the moment when that is written down, another file of
the same job may take the document's last name away. A claimed document is not settled, and its original not removed,
before its last claim is released.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence

from indexer.documents import settle
from indexer.job import Job
from labse_search.errors import UserError

log = logging.getLogger("labse_search.jobs")


class Claims:
    """Claimed by the inspector's thread, released by the writer's; safe in every thread."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._claims: Counter[str] = Counter()
        self._lost: set[str] = set()  # claimed documents that lost a name: settled when the last claim is released

    def claim(self, document: str) -> None:
        """From here until `release` nothing in this job takes the document or its original away."""
        with self._lock:
            self._claims[document] += 1

    def release(self, document: str) -> None:
        """One file is done with the document; the last one settles what became of its lost names."""
        with self._lock:
            self._claims[document] -= 1
            if self._claims[document] <= 0:
                del self._claims[document]
                if document in self._lost:
                    self._lost.discard(document)
                    self._settle(document)

    def names_changed(self, documents: Sequence[str]) -> None:
        """Settle documents whose names changed: now, or when no file of this job is about to be them."""
        with self._lock:  # held all the while: the inspector must not find them half gone
            for document in documents:
                if document in self._claims:
                    self._lost.add(document)
                else:
                    self._settle(document)

    def forget_original(self, document: str) -> None:
        """Remove the original of a document that will not be stored, unless another file claims it too, or a
        collection has it."""
        if self._job.library.ledger.documents.kept_anywhere(document):
            return
        with self._lock:
            if self._claims[document] == 1:
                self._job.library.originals.forget(document)

    def forget_all(self) -> None:
        """Remove the originals that were kept for documents that this job will not store after all."""
        try:
            for document in list(self._claims):
                if not self._job.library.ledger.documents.kept_anywhere(document):
                    self._job.library.originals.forget(document)
        except (UserError, OSError) as problem:  # the disk that the job failed for: they only take room
            log.warning("job %s: originals are left over (%s)", self._job.id, type(problem).__name__)

    def _settle(self, document: str) -> None:
        job = self._job
        job.patiently(lambda: settle(job.library, job.store, job.collection, document))
