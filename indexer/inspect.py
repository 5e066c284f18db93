"""The first look at a file of a job: what it is, and whether the collection has it.

In: a JobFile. Out: an Inspection. What is new is copied into the library and handed to the readers; a file that did not
change since the last run costs one `stat`.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from indexer.claims import Claims
from indexer.documents import VERSION
from indexer.job import Inspection, Job
from indexer.private import PrivateFiles
from indexer.segment import Split
from indexer.sources import belongs_to_another, numbered
from labse_search.library import JobFile, document_id
from labse_search.records import Extraction

TRIES = 3  # for a file that changes under our hands
# A file changed within the clock tick of our look would look unchanged for ever (git calls that "racily clean"; ticks
# are 4 ms on Linux, 2 s on FAT): its time is not remembered, so that next time its content is compared.
TICK_SECONDS = 2.0


class Reader(Protocol):
    """Reads and segments files somewhere else: indexer.sandbox.ReaderPool."""

    def submit(self, path: Path, name: str) -> Future[tuple[Extraction, Split]]:
        """The text of a file and its segments, as soon as a reader process is free."""


class Inspector:
    """Works in a thread of its own, one file after another, some files ahead of the job's thread."""

    def __init__(self, job: Job, claims: Claims, reader: Reader, *, max_file_bytes: int) -> None:
        self._job = job
        self._claims = claims
        self._reader = reader
        self._max_file_bytes = max_file_bytes
        self._private = PrivateFiles(job.library.home)
        self._numbered: dict[str, JobFile] = {}  # names that files got here and not where the job was added

    def inspect(self, file: JobFile) -> Inspection:
        """An outcome, or a reading that will come."""
        for _ in range(TRIES):
            found = self._try(file, Path(file.source.path))
            if found is not None:
                return found
        return Inspection(file, outcome="skipped", reason="changing")

    def _try(self, file: JobFile, path: Path) -> Inspection | None:
        """None if the file changed between two glances."""
        library, collection = self._job.library, self._job.collection
        if library.ledger.jobs.is_struck(self._job.id, file.position):
            return Inspection(file, file.source.name, "removed")
        known = None if file.source.kept else library.ledger.names.at_path(collection, str(path))
        name = known[0] if known is not None else file.source.name
        if file.source.kept and not self._private.is_upload(path):
            return Inspection(file, name, "skipped", "vanished")  # it stayed in the home that this one came from
        try:
            status = path.stat()
            if self._private.forbids(path, status, kept=file.source.kept):
                return Inspection(file, name, "skipped", "private")
            found = Inspection(file, name, size=status.st_size, mtime_ns=_settled_time(status))
            if known is not None and known[2:] == (status.st_size, status.st_mtime_ns) and self._has(known[1]):
                found.outcome = "unchanged"
                return found
            if status.st_size > self._max_file_bytes:
                found.outcome, found.reason = "skipped", "too_large"
                return found
            found.document = document_id(path)
        except OSError as problem:
            return Inspection(file, name, "skipped", *_reason(problem))
        if path == library.originals.path(path.name) and found.document != path.name:
            sentence = "the original no longer has the content it was kept for"
            return Inspection(file, name, "skipped", "damaged", sentence)
        found.name = self._free_name(found, str(path))
        return self._known_or_read(found, path)

    def _free_name(self, found: Inspection, path: str) -> str:
        """The file's name; numbered where it turns out to be another file's, of which only the content tells: no file
        takes another one's name because that one cannot be reached. Uploads and originals replace what has their name.
        """
        library, collection, file = self._job.library, self._job.collection, found.file
        if file.source.kept or self._private.is_own(Path(path)):
            return found.name
        for name in numbered(found.name):
            taken = belongs_to_another(library, collection, name, path, found.document)
            if name != found.name:
                taken |= self._numbered.get(name, file) != file or library.ledger.jobs.has_name(self._job.id, name)
            if not taken:
                break
        if name != found.name:
            self._numbered[name] = file
        return name

    def _known_or_read(self, found: Inspection, path: Path) -> Inspection | None:
        """The document is claimed from here on, unless None is returned."""
        library, collection = self._job.library, self._job.collection
        self._claims.claim(found.document)
        if not library.originals.keep(path, found.document):
            self._claims.release(found.document)
            return None
        if library.ledger.documents.version(collection, found.document) == VERSION:
            named = library.ledger.names.get(collection, found.name)
            found.outcome = "unchanged" if named and named[0] == found.document else "renamed"
        else:
            found.reading = self._reader.submit(library.originals.path(found.document), found.name)
        return found

    def _has(self, document: str) -> bool:
        library = self._job.library
        current = library.ledger.documents.version(self._job.collection, document) == VERSION
        return current and library.originals.path(document).exists()


def _settled_time(status: os.stat_result) -> int:
    """The file's time in nanoseconds, 0 while it may still change without changing that."""
    return status.st_mtime_ns if time.time() - status.st_mtime > TICK_SECONDS else 0


def _reason(problem: OSError) -> tuple[str, str]:
    """(key of REASONS, detail) for a file that cannot be read."""
    if isinstance(problem, FileNotFoundError | NotADirectoryError):
        return "vanished", ""
    if isinstance(problem, PermissionError):
        return "not_permitted", ""
    return "damaged", f"{type(problem).__name__} {problem.errno}"
