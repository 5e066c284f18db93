"""What the header, the jobs, the collection and the settings show, as plain values for their scripts."""

from __future__ import annotations

import platform
import threading
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from labse_search.errors import REASONS, CollectionMissing, UserError
from labse_search.library import DocumentRow, JobFile, JobRow
from labse_search.library.ledger import UNFINISHED
from labse_search.ui.cards import title
from labse_search.ui.context import AppContext
from labse_search.ui.strings import NOTES, text
from labse_search.ui.users import load_users

JOBS = 8  # rows shown, the newest
PROBLEMS = 100  # files named of one job
MAX_DOCUMENTS = 5000  # listed, the newest: 1.5 MB for the browser
PACKAGES = ("gradio", "torch", "transformers", "sentence-transformers", "qdrant-client", "qdrant-edge-py")


@dataclass(frozen=True)
class Counts:
    passages: int = 0
    languages: int = 0
    documents: int = 0
    problem: str = ""  # one sentence, when the store does not answer


@dataclass
class Status:
    """What is in a collection. Asked every second by every open page, so it counts again only after a change."""

    context: AppContext
    _known: dict[str, tuple[object, Counts]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counts(self, collection: str) -> Counts:
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
        counts = Counts(passages, languages, len(store.facet(collection, "document")))
        with self._lock:
            self._known[collection] = (passages, counts)
        return counts

    def header(self, collection: str, jobs: list[JobRow]) -> dict[str, Any]:
        counts = self.counts(collection)
        known = {*self.context.library.ledger.collections(), self.context.settings.collection, collection}
        return {
            "collection": collection,
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
        """The newest jobs, and the oldest ones that are not finished."""
        return self.context.library.jobs(collection, limit=JOBS)

    def value(self, jobs: list[JobRow]) -> dict[str, Any]:
        return {"jobs": [self._row(job) for job in jobs]}

    def _row(self, job: JobRow) -> dict[str, Any]:
        count, problems = self._problems_of(job)
        return {
            "id": job.id,
            "state": job.state,
            "wish": job.wish,
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


def documents_value(context: AppContext, collection: str, message: str = "") -> dict[str, Any]:
    """The documents of a collection and those that were removed and can be put back."""
    library = context.library
    rows = [*library.removed_documents(collection), *library.ledger.documents(collection, ("stored", "storing"))]
    languages: dict[str, int] = {}
    for row in rows:
        if row.state == "stored":
            for code, count in row.languages.items():
                languages[code] = languages.get(code, 0) + count
    return {
        "documents": [_document(row) for row in rows[-MAX_DOCUMENTS:]],
        "more": max(0, len(rows) - MAX_DOCUMENTS),
        "languages": sorted(languages.items(), key=lambda item: -item[1]),
        "message": message,
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
    }


def _notes(row: DocumentRow) -> list[str]:
    """What the reader noted; an encoding other than UTF-8 is worth a look too."""
    notes = [NOTES[note.code].format(detail=note.detail) for note in row.notes if note.code in NOTES]
    guessed = any(note.code == "encoding_guessed" for note in row.notes)
    if row.encoding and row.encoding.lower() not in ("utf-8", "ascii", "us-ascii") and not guessed:
        notes.append(text("read_as_encoding", encoding=row.encoding))
    return notes


def settings_value(context: AppContext) -> dict[str, Any]:
    settings = context.settings
    people = text("settings_nobody") if context.local else ", ".join(sorted(load_users(settings.home)))
    rows = [
        ("settings_model", context.model, "LABSE_MODEL"),
        ("settings_store", settings.store or text("settings_embedded"), "LABSE_STORE"),
        ("settings_home", str(settings.home) if context.local else "", "LABSE_HOME"),
        ("settings_log", str(settings.home / "logs" / "labse-search.log") if context.local else "", ""),
        ("settings_used", _bytes(context.library.bytes_used()), ""),
        ("settings_precision", settings.precision, "LABSE_PRECISION"),
        ("settings_max_file", f"{settings.max_file_mb} MB", "LABSE_MAX_FILE_MB"),
        ("settings_address", f"{settings.host}:{settings.port}", "LABSE_HOST, LABSE_PORT"),
        ("settings_people", people, ""),
        ("settings_versions", versions(), ""),
    ]
    shown = [{"label": label, "value": value, "variable": name} for label, value, name in rows if value]
    return {"rows": shown, "signs_in": not context.local}


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue  # an adapter that is not installed is not in use
    return ", ".join(found)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
