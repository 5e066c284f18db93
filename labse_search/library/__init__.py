"""The library: every original that people added, and the ledger of what the store must hold for it.

The vector store is an index that can be rebuilt from here at any time; this is what must not be lost.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from labse_search.files import used_bytes
from labse_search.library.database import BUSY_SECONDS
from labse_search.library.ledger import Ledger
from labse_search.library.originals import Originals, document_id
from labse_search.library.records import Action, DocumentRow, JobFile, JobRow, Outcome, Source
from labse_search.records import Segment

__all__ = [
    "DocumentRow",
    "JobFile",
    "JobRow",
    "Library",
    "Outcome",
    "Source",
    "Action",
    "document_id",
    "segments_digest",
]


class Library:
    """One home folder: `ledger` (SQLite), `originals`, and locks that die with the process that holds them."""

    def __init__(self, home: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.home = home
        self.ledger = Ledger(home / "ledger.sqlite3", busy_seconds=busy_seconds)
        self.originals = Originals(home)

    # ---- what the page and the command line ask for

    def documents(self, collection: str) -> list[DocumentRow]:
        """The documents of a collection, oldest first."""
        return self.ledger.documents.all(collection)

    def removed_documents(self, collection: str) -> list[DocumentRow]:
        """Removed documents whose originals are still kept: these can be put back."""
        return self.ledger.documents.all(collection, ("removed",))

    def add_index_job(self, collection: str, model: str, sources: Iterable[Source]) -> str:
        """A job that will index these files; a worker picks it up. Returns its id."""
        return self.ledger.jobs.add("index", collection, model, sources)

    def jobs(self, collection: str | None = None, *, limit: int = 50, kinds: Sequence[str] = ()) -> list[JobRow]:
        """Newest first; `kinds`: only these, all where none is named."""
        return self.ledger.jobs.recent(collection, limit=limit, kinds=kinds)

    def job(self, job: str) -> JobRow:
        """UserError if there is none of this id."""
        return self.ledger.jobs.get(job)

    def job_files(self, job: str, *, outcomes: Sequence[str] = (), limit: int | None = None) -> list[JobFile]:
        """A job's files in their order, with what became of each; `outcomes`: only such."""
        return self.ledger.jobs.files(job, outcomes=outcomes, limit=limit)

    def ask(self, job: str, action: Action) -> None:
        """Ask a running or waiting job to "pause", to "cancel", or ("") to go on."""
        self.ledger.jobs.request(job, action)

    # ---- locks

    def lock(self, name: str) -> FileLock | None:
        """A lock on this home that the system frees when its holder dies; None if somebody has it."""
        folder = self.home / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def bytes_used(self) -> dict[str, int]:
        """What each folder of the home takes on the disk, in bytes; "" for files beside them."""
        used: dict[str, int] = {}
        for folder, _, names in os.walk(self.home):
            part = Path(folder).relative_to(self.home).parts[:1]
            for name in names:
                with suppress(FileNotFoundError):  # others write and remove files all the time
                    used["".join(part)] = used.get("".join(part), 0) + used_bytes(Path(folder) / name)
        return used

    def close(self) -> None:
        """Close this thread's connection to the ledger."""
        self.ledger.close()


def segments_digest(segments: Iterable[Segment]) -> str:
    """What the store must hold for a document, as 32 hex digits: over index, offsets and text of its segments in order.

    Equal whether computed from fresh segments or from those that the store gives back.
    """
    digest = hashlib.sha256()
    for segment in sorted(segments, key=lambda segment: segment.index):
        digest.update(json.dumps([segment.index, segment.start, segment.end, segment.text]).encode())
    return digest.hexdigest()[:32]
