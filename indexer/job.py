"""One job's resources, which everyone who works on it shares, and what its files and documents are on their way."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from indexer.segment import Split
from labse_search.errors import CollectionDamaged, StoreUnavailable, UserError
from labse_search.library import DocumentRow, JobFile, JobRow, Library, Outcome
from labse_search.library.records import JobState
from labse_search.records import Extraction, Filter, StoredSegment
from labse_search.similarity import Vectors
from labse_search.store import Store

STORE_TRIES = 4  # one, two, three seconds apart: the store's process restarts by itself, a server may be restarting

T = TypeVar("T")


class Requested(Exception):
    """The person asked the job to pause or to be cancelled."""

    def __init__(self, state: JobState) -> None:
        super().__init__(state)
        self.state = state


def check_requested(library: Library, job: str) -> None:
    """Requested if the person asked for anything."""
    action = library.ledger.jobs.requested(job)
    if action:
        raise Requested("paused" if action == "pause" else "cancelled")


def run_to_end(
    library: Library, job: str, work: Callable[[], None], *, segments: Callable[[], int] | None = None
) -> JobRow:
    """Do the work of a job and write down how it ended: done, paused, cancelled, or failed with one sentence. Returns
    its row. `segments`: asked at the end, how many came of it."""
    state: JobState = "failed"
    error = ""
    try:
        work()
        state = "done"
    except Requested as requested:
        state = requested.state
    except (UserError, OSError) as problem:
        error = str(problem)
    finished = None if state == "paused" else time.time()
    counted = {} if segments is None else {"segments": segments()}
    library.ledger.jobs.set(job, state=state, error=error, finished=finished, current="", seconds_left=None, **counted)
    return library.job(job)


@dataclass(frozen=True)
class Job:
    """The job that is being done, and what it works on."""

    id: str
    collection: str
    library: Library
    store: Store
    store_tries: int = STORE_TRIES

    def patiently(self, call: Callable[[], T]) -> T:
        """The store's answer, also if it is just being started again."""
        for attempt in range(1, self.store_tries):
            try:
                return call()
            except CollectionDamaged:
                raise
            except StoreUnavailable:
                time.sleep(attempt)
        return call()

    def is_requested(self) -> bool:
        """Whether the person asked for anything."""
        return bool(self.library.ledger.jobs.requested(self.id))

    def check_requested(self) -> None:
        """Requested if the person asked for anything."""
        check_requested(self.library, self.id)


def remove_surplus(job: Job, document: str, segments: int) -> None:
    """Take out what the store has of a document beyond its first so many segments."""
    where = Filter(documents=(document,))
    if job.patiently(lambda: job.store.count(job.collection, where)) <= segments:
        return
    there = job.patiently(lambda: list(job.store.segments(job.collection, where)))
    surplus = tuple(one.segment.index for one in there if one.segment.index >= segments)
    job.patiently(lambda: job.store.delete(job.collection, Filter(documents=(document,), indexes=surplus)))


@dataclass
class Inspection:
    """A file after the first look: an outcome already, or a reading that will come."""

    file: JobFile
    name: str = ""  # in the collection: a path keeps the name that it has there
    outcome: Outcome = ""
    reason: str = ""
    detail: str = ""
    document: str = ""
    size: int = 0
    mtime_ns: int = 0
    reading: Future[tuple[Extraction, Split]] | None = None


@dataclass(eq=False)
class IncomingDocument:
    """A document on its way into the store."""

    tokenizer: str  # the identity of the one that its segments' ids are of
    files: list[Inspection]  # the file, and other files of this job with the same content
    row: DocumentRow
    extraction: Extraction
    names: list[str]  # those that its segments get in the store
    left: int  # segments that are not durable yet
    begun: bool = False
    replaces: bool = False  # it was stored before, cut another way or damaged: its segments are written over


@dataclass(frozen=True, slots=True)
class IncomingSegment:
    """A segment that waits to be encoded and stored; without one, a document of which all are stored already."""

    document: IncomingDocument
    segment: StoredSegment | None = None
    ids: bytes = b""
    vector: Vectors | None = None  # (dimension,), where its text was encoded before: nothing to encode
