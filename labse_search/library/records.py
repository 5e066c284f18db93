"""What the ledger remembers, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from labse_search.records import Note

JobState = Literal["queued", "running", "paused", "done", "cancelled", "failed"]
Action = Literal["", "pause", "cancel"]

# What became of one file of a job. `failed` alone is worth retrying; `skipped` carries a reason of errors.REASONS.
Outcome = Literal["", "added", "replaced", "unchanged", "renamed", "duplicate", "removed", "skipped", "failed"]


@dataclass(frozen=True)
class Source:
    """One file to index: where its bytes are, and the name it gets in the collection ("/" separated)."""

    path: str
    name: str
    size: int = 0
    kept: bool = False  # the bytes are a temporary copy (an upload): keep them first, and never look for them again
    reason: str = ""  # key of errors.REASONS: it is listed, and not read


@dataclass(frozen=True)
class FileStamp:
    """Where a name's file was read from, and its size and time of change then: equal means unchanged."""

    path: str = ""  # empty: no file that could be looked at again
    size: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file of a job."""

    outcome: Outcome
    reason: str = ""  # key of errors.REASONS, when skipped
    detail: str = ""  # for the person: which pages, which member; never document text
    document: str = ""
    segments: int = 0


@dataclass(frozen=True)
class DocumentRow:
    """One document of one collection. characters == embedded + sum(skipped): the coverage ledger."""

    collection: str
    document: str
    names: tuple[str, ...]
    kind: str
    title: str
    bytes: int
    characters: int  # code points of the document's text
    embedded: int  # code points inside segments
    skipped: Mapping[str, int]  # code points outside segments, by reason
    segments: int
    languages: Mapping[str, int]  # segments per language, most frequent first
    encoding: str  # of the file, for text formats; else ""
    notes: tuple[Note, ...]
    digest: str  # segments_digest() of what the store must hold
    state: Literal["storing", "stored", "removing", "removed"]
    added: float  # seconds since the epoch
    removed: float | None = None


@dataclass(frozen=True)
class JobRow:
    """A job as the ledger has it. Times are seconds since the epoch, `rate` is passages a second."""

    id: str
    kind: str  # "index", "reembed", "mine", "tune", "batch", "backup", "restore" or "fetch"
    collection: str
    model: str
    state: JobState
    requested: Action
    files: int
    files_done: int
    bytes: int
    bytes_done: int
    segments: int  # stored so far
    rate: float  # segments a second over the last seconds
    seconds_left: float | None  # None while nothing can be said
    current: str  # the name of a file at work
    error: str  # one sentence, when failed
    outcomes: Mapping[str, int] = field(default_factory=dict)
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    share: float = 0.0  # of the work that is done, from 0 to 1, of jobs that no count of files tells it of


@dataclass(frozen=True)
class JobFile:
    """One file of a job and what became of it."""

    position: int
    source: Source
    outcome: Outcome
    reason: str  # key of errors.REASONS, when skipped
    detail: str  # for the person: which pages, which member; never document text
    document: str
    segments: int
