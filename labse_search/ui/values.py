"""What the header, the jobs, the collection and the settings show, as plain values for their scripts."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from indexer.losses import BLANK, losses
from labse_search.errors import NOTES, REASONS, CollectionMissing, UserError, note_sentence
from labse_search.library import DocumentRow, JobFile, JobRow
from labse_search.library.jobs import UNFINISHED
from labse_search.naming import kind_name
from labse_search.ui.cards import title
from labse_search.ui.context import AppContext
from labse_search.ui.strings import text

JOBS = 8  # rows shown, the newest
KINDS = ("index", "reembed")  # of these; what is mined and taught is shown in the Teach tab
PROBLEMS = 100  # files named of one job
_PRESENT = ("stored", "storing")
MAX_DOCUMENTS = 5000  # listed, the newest: 1.5 MB for the browser


@dataclass(frozen=True)
class Counts:
    """How much a collection holds."""

    passages: int = 0
    languages: int = 0
    documents: int = 0
    problem: str = ""  # one sentence, when the store does not answer


@dataclass
class Status:
    """What is in a collection. Asked every second while a page is open, so it counts again only after a change."""

    context: AppContext
    _known: dict[str, tuple[object, Counts]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counts(self, collection: str) -> Counts:
        """Of the store, counted again when the number of passages changed."""
        store = self.context.store
        try:
            passages = store.count(collection)
        except CollectionMissing:
            return Counts()
        except UserError as error:
            return Counts(problem=str(error))
        with self._lock:
            if collection in self._known and self._known[collection][0] == passages:
                return self._known[collection][1]
        languages = len(store.facet(collection, "language"))
        counts = Counts(passages, languages, store.count_documents(collection))
        with self._lock:
            self._known[collection] = (passages, counts)
        return counts

    def header(self, collection: str, jobs: list[JobRow]) -> dict[str, Any]:
        """What the page's header shows."""
        counts = self.counts(collection)
        known = {*self.context.library.ledger.collections.all(), self.context.settings.collection, collection}
        return {
            "collection": collection,
            "usual": self.context.settings.collection,  # the one that an address need not name
            "collections": sorted(known),
            "passages": counts.passages,
            "languages": counts.languages,
            "documents": counts.documents,
            "problem": counts.problem,
            "indexing": indexing(jobs),
        }


def indexing(jobs: list[JobRow]) -> dict[str, int] | None:
    """Files done and files in all over the jobs at work; None if none is."""
    at_work = [job for job in jobs if job.state in ("queued", "running")]
    if not at_work:
        return None
    return {"done": sum(job.files_done for job in at_work), "total": sum(job.files for job in at_work)}


@dataclass
class Jobs:
    """The rows of jobs. What became of the files of a finished job does not change, so it is read once."""

    context: AppContext
    _problems: dict[str, tuple[int, list[dict[str, str]]]] = field(default_factory=dict)

    def rows(self, collection: str) -> list[JobRow]:
        """The newest jobs that bring documents in, and the oldest ones that are not finished."""
        return self.context.library.jobs(collection, limit=JOBS, kinds=KINDS)

    def value(self, collection: str, jobs: list[JobRow]) -> dict[str, Any]:
        """What the list of jobs shows."""
        return {"collection": collection, "jobs": [self._row(job) for job in jobs]}

    def _row(self, job: JobRow) -> dict[str, Any]:
        count, problems = self._problems_of(job)
        return {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "requested": job.requested,
            "files": job.files,
            "files_done": job.files_done,
            "segments": job.segments,
            "rate": job.rate,
            "seconds_left": job.seconds_left,
            "current": job.current,
            "error": job.error,
            "outcomes": [[outcome, n] for outcome, n in job.outcomes.items() if outcome and n],
            "problem_count": count,
            "problems": problems,
        }

    def _problems_of(self, job: JobRow) -> tuple[int, list[dict[str, str]]]:
        if job.id in self._problems:
            return self._problems[job.id]
        finished = job.state not in UNFINISHED
        if not finished and not (job.outcomes.get("skipped") or job.outcomes.get("failed")):
            return 0, []
        files = self.context.library.job_files(job.id, outcomes=("skipped", "failed"))
        found = (len(files), [_problem(file) for file in files[:PROBLEMS]])
        if finished:
            self._problems[job.id] = found
        return found


def _problem(file: JobFile) -> dict[str, str]:
    reason = REASONS[file.reason] if file.reason else text("outcome_failed_reason")
    return {"name": file.source.name, "reason": reason, "detail": file.detail}


def documents_value(
    context: AppContext, collection: str, message: str = "", most: int = MAX_DOCUMENTS
) -> dict[str, Any]:
    """The documents of a collection and those that were removed and can be put back, `most` of them together."""
    library = context.library
    removed, rows = library.removed_documents(collection), library.ledger.documents.all(collection, _PRESENT)
    listed = removed[max(0, len(removed) - (most + 1) // 2) :]  # nowhere else on the page can they be put back
    shown = [*listed, *rows[max(0, len(rows) + len(listed) - most) :]]
    return {
        "documents": [_document(row) for row in shown],
        "more": len(removed) + len(rows) - len(shown),
        "removed": len(removed),
        **_charts([row for row in rows if row.state == "stored"]),
        "collection": collection,
        "message": message,
    }


def _charts(rows: list[DocumentRow]) -> dict[str, Any]:
    """Passages by language, documents by type, characters in passages and left out by reason, the most first; how many
    documents lost something. Blank characters between paragraphs count nowhere."""
    languages, kinds, text_in = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        languages.update(row.languages)
        kinds[kind_name(row.kind)] += 1
        text_in.update({"": row.embedded, **{reason: n for reason, n in row.skipped.items() if reason not in BLANK}})
    return {
        "languages": languages.most_common(),
        "kinds": kinds.most_common(),
        "coverage": [[reason, n] for reason, n in text_in.most_common() if n],  # "" stands for passages
        "lost": sum(1 for row in rows if losses(row)),
    }


def _document(row: DocumentRow) -> dict[str, Any]:
    names = row.names or (row.title,)
    return {
        "document": row.document,
        "title": title(names),
        "folder": names[0].rpartition("/")[0],
        "names": list(names),
        "languages": sorted(row.languages.items(), key=lambda item: -item[1]),
        "segments": row.segments,
        "added": row.added,
        "state": row.state,
        "characters": row.characters,
        "embedded": row.embedded,
        "skipped": [[reason.replace("_", " "), count] for reason, count in row.skipped.items() if count],
        "notes": _notes(row),
        "losses": len(losses(row)),
    }


def _notes(row: DocumentRow) -> list[str]:
    """What the reader noted; an encoding other than UTF-8 is worth a look too."""
    notes = [note_sentence(note.code, note.detail) for note in row.notes if note.code in NOTES]
    guessed = any(note.code == "encoding_guessed" for note in row.notes)
    if row.encoding and row.encoding.lower() not in ("utf-8", "ascii", "us-ascii") and not guessed:
        notes.append(text("read_as_encoding", encoding=row.encoding))
    return notes
