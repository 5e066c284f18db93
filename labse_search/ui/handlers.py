"""What happens when a person does something on the page. Values in, values out; no gradio here.

Every public method answers with a value that the page can show, whatever happens: failures are explained in place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from indexer.check import PROBLEMS, check, repair
from indexer.documents import remove_documents, restore_documents
from indexer.sources import walk
from labse_search.errors import CollectionMissing, UserError
from labse_search.library.ledger import UNFINISHED
from labse_search.places import language_name
from labse_search.search import Answer
from labse_search.store import FacetKey
from labse_search.ui.cards import answer_value, api_hit, title
from labse_search.ui.context import AppContext
from labse_search.ui.faults import explain
from labse_search.ui.plan import Plan, Waiting, make_plan
from labse_search.ui.query import MAX_QUESTION, Query
from labse_search.ui.strings import GENERAL_QUESTIONS, SAMPLE_QUESTIONS, text
from labse_search.ui.uploads import KEEP_SECONDS, MAX_BYTES, MAX_FILES, discard, received, sweep
from labse_search.ui.values import Jobs, Status, documents_value, indexing
from labse_search.ui.viewer import Viewer, Wanted, is_document_id

Value = dict[str, Any]

PAGE, MOST = 20, 100  # passages at first, and at most after "Show more"
MAX_CHOICES = 500  # values offered in one filter
SWEEP_SECONDS = 3600.0
_COLLECTION = re.compile(r"[\w][\w .-]{0,62}", re.UNICODE)


class Handlers:
    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.viewer = Viewer(context.library, context.store)
        self.status = Status(context)
        self.jobs = Jobs(context)
        self.waiting = Waiting()
        self._swept = 0.0

    # ---- search

    def results(self, query: Query, collection: str, limit: int = PAGE) -> Value:
        """The passages that answer, or what to show instead of them."""

        def answer() -> Value:
            chips = query.chips(self._titles(collection, query.documents))
            if not query.question:
                return self._no_question(collection) | {"chips": chips}
            found = self.context.searcher(collection).search(
                _checked(query.question),
                mode=query.mode,
                limit=min(limit, MOST),
                where=query.filter(time.time()),
                other_languages_only=query.only_other,
            )
            return self._shown(found, collection, limit) | {"chips": chips}

        return self._in_place(answer, collection)

    def more_like(self, collection: str, data: object) -> Value:
        def answer() -> Value:
            wanted = Wanted.from_event(data)
            searcher = self.context.searcher(collection)
            found = searcher.more_like(wanted.document, wanted.index, limit=PAGE)
            like = {"text": found.question, "lang": found.question_language}
            return self._shown(found, collection, MOST) | {"like": like, "question": ""}

        return self._in_place(answer, collection)

    def search_api(self, query: str, limit: int, collection: str) -> list[Mapping[str, Any]]:
        """For programs: UserErrors are raised, not shown in place."""
        answer = self.context.searcher(collection).search(_checked(query), limit=max(1, min(limit, MOST)))
        return [api_hit(hit, strength) for hit, strength in zip(answer.hits, answer.strengths, strict=True)]

    def _shown(self, answer: Answer, collection: str, limit: int) -> Value:
        more = len(answer.hits) >= limit and limit < MOST
        return answer_value(answer) | {"more": min(PAGE, MOST - limit) if more else 0, "limit": limit}

    def _no_question(self, collection: str) -> Value:
        counts = self.status.counts(collection)
        if counts.problem:
            raise UserError(counts.problem)
        if not counts.passages:
            return {"state": "first", "sample": self.context.examples.is_dir()}
        sample = self.context.examples.name in self.context.store.facet(collection, "folder")
        questions = SAMPLE_QUESTIONS if sample else GENERAL_QUESTIONS
        return {"state": "idle", "examples": [{"text": question, "lang": code} for question, code in questions]}

    def _in_place(self, answer: Callable[[], Value], collection: str) -> Value:
        try:
            value = answer()
        except CollectionMissing:
            value = {"state": "first", "sample": self.context.examples.is_dir()}
        except Exception as error:  # the page's border: whatever it is, it is explained in place and logged
            message, reference = explain(error)
            value = {"state": "error", "message": message, "reference": reference}
        return value | {"indexing": indexing(self.jobs.rows(collection)), "nonce": time.time_ns()}

    def _titles(self, collection: str, documents: tuple[str, ...]) -> dict[str, str]:
        rows = {one: self.context.library.ledger.document(collection, one) for one in documents}
        return {one: title(row.names) or row.title for one, row in rows.items() if row is not None}

    def choices(self, collection: str) -> tuple[list[tuple[str, str]], ...]:
        """What the filters offer: languages, file types, folders, documents, as (label, value)."""

        def facet(key: FacetKey) -> dict[str, int]:
            try:
                return self.context.store.facet(collection, key)
            except UserError:  # no collection yet, or no store: the answers' place says so
                return {}

        def counted(label: str, count: int) -> str:
            return f"{label} ({count:,})"

        languages = [(counted(language_name(code), count), code) for code, count in facet("language").items()]
        kinds = [(counted(kind.upper(), count), kind) for kind, count in facet("kind").items()]
        folders = sorted((counted(f"{folder}/", count), folder) for folder, count in facet("folder").items())
        rows = []
        if self.status.counts(collection).documents <= MAX_CHOICES:  # more are found in the Collection tab
            rows = self.context.library.documents(collection)
        documents = sorted((title(row.names) or row.title, row.document) for row in rows)
        return languages, kinds, folders[:MAX_CHOICES], documents

    def view(self, collection: str, data: object) -> Value:
        try:
            return self.viewer.value(collection, Wanted.from_event(data))
        except Exception as error:  # as above
            message, reference = explain(error)
            place = text("reference", reference=reference) if reference else ""
            return {"nonce": str(time.time_ns()), "message": message, "place": place}

    # ---- add documents

    def drop(self, collection: str, *, plan: Plan | None = None, message: str = "") -> Value:
        """The value of the drop zone, with a plan to look at if there is one."""
        megabytes = self.context.settings.max_file_mb
        limits = {"mb": megabytes, "file_bytes": megabytes << 20, "files": MAX_FILES, "bytes": MAX_BYTES}
        value: Value = {"limits": limits, "local": self.context.local, "message": message, "nonce": time.time_ns()}
        if plan is not None:
            value["plan"] = plan.value(self.waiting.put(collection, plan))
        return value

    def stage(self, collection: str, data: object) -> Value:
        """Files were uploaded: look at them."""

        def look() -> Value:
            files = data.get("files") if isinstance(data, dict) else None
            failed = data.get("failed", 0) if isinstance(data, dict) else 0
            entries = [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
            most = self.context.settings.max_file_mb << 20
            large = [(str(one.get("name", "")), int(one["size"])) for one in entries if _is_too_large(one, most)]
            sent = [entry for entry in entries if not _is_too_large(entry, most)]
            sources, refused = received(sent, self.context.uploads)
            plan = make_plan(self.context.library, collection, sources, max_file_bytes=most)
            discard([*plan.already, *plan.unsupported])
            failures = failed if isinstance(failed, int) else 0
            merged = Plan(
                plan.new,
                plan.already,
                plan.unsupported,
                (*plan.too_large, *large),
                tuple(refused),
                failures,
                plan.seconds,
            )
            return self.drop(collection, plan=merged)

        return self._dropped(look, collection)

    def check_path(self, collection: str, data: object) -> Value:
        """A path of this computer: look at what lies there, where only this computer can ask."""

        def look() -> Value:
            given = str(data.get("place", "")) if isinstance(data, dict) else ""
            if not self.context.local:
                raise UserError(text("path_missing"))
            path = Path(given).expanduser()
            if not path.is_absolute():
                raise UserError(text("path_relative"))
            if not path.exists():
                raise UserError(text("path_missing"))
            sources = walk([path], self.context.library, collection)
            if len(sources) > MAX_FILES:
                raise UserError(text("too_many", n=MAX_FILES))
            most = self.context.settings.max_file_mb << 20
            return self.drop(collection, plan=make_plan(self.context.library, collection, sources, max_file_bytes=most))

        return self._dropped(look, collection)

    def start(self, collection: str, data: object) -> Value:
        def begin() -> Value:
            taken = self.waiting.take(data.get("token") if isinstance(data, dict) else None)
            if taken is None:
                raise UserError(text("stale"))
            where, plan = taken
            self.context.library.add_index_job(where, self.context.model_of(where), plan.new)
            self.context.wake()
            return self.drop(collection)

        return self._dropped(begin, collection)

    def discard(self, collection: str, data: object) -> Value:
        def forget() -> Value:
            taken = self.waiting.take(data.get("token") if isinstance(data, dict) else None)
            if taken is not None:
                discard(taken[1].new)
            return self.drop(collection)

        return self._dropped(forget, collection)

    def sample(self, collection: str) -> Value:
        """Index the sample collection; the answers' place then says that it is being indexed."""

        def begin() -> Value:
            sources = walk([self.context.examples], self.context.library, collection)
            self.context.library.add_index_job(collection, self.context.model_of(collection), sources)
            self.context.wake()
            return self._no_question(collection)

        return self._in_place(begin, collection)

    def _dropped(self, act: Callable[[], Value], collection: str) -> Value:
        try:
            return act()
        except Exception as error:  # as above
            return self.drop(collection, message=_sentence(error))

    # ---- jobs

    def tick(self, collection: str) -> tuple[Value, Value]:
        """(header, jobs), asked every second or so."""
        self._sweep_now_and_then()
        try:
            jobs = self.jobs.rows(collection)
            if indexing(jobs):
                self.context.wake()  # a worker that died is replaced
            return self.status.header(collection, jobs) | {"beat": time.time_ns()}, self.jobs.value(jobs)
        except Exception as error:  # as above
            problem = _sentence(error)
            return {"collection": collection, "collections": [collection], "problem": problem}, {"jobs": []}

    def wish(self, collection: str, data: object) -> tuple[Value, Value]:
        job, wanted = (data.get("job"), data.get("wish")) if isinstance(data, dict) else (None, None)
        if isinstance(job, str) and wanted in ("", "pause", "cancel"):
            self.context.library.ask(job, wanted)
            self.context.wake()
        return self.tick(collection)

    def _sweep_now_and_then(self) -> None:
        if time.monotonic() - self._swept < SWEEP_SECONDS and self._swept:
            return
        self._swept = time.monotonic()
        library = self.context.library
        jobs = [job for job in library.jobs(limit=1000) if job.state in (*UNFINISHED, "failed")]  # failed: retried
        waiting = [file.source.path for job in jobs for file in library.job_files(job.id, outcomes=("", "failed"))]
        sweep(self.context.uploads, [*waiting, *self.waiting.paths()], older_than_seconds=KEEP_SECONDS)

    # ---- collection

    def opened(self, collection: str) -> Value:
        """The tab was opened: the documents, and whether the store still has them."""
        return self._health(collection, full=False)

    def documents(self, collection: str, message: str = "") -> Value:
        try:
            return documents_value(self.context, collection, message)
        except Exception as error:  # as above
            return {"documents": [], "languages": [], "message": _sentence(error)}

    def remove(self, collection: str, data: object) -> Value:
        return self._changed(data, collection, lambda document: self._remove(collection, [document]))

    def restore(self, collection: str, data: object) -> Value:
        return self._changed(data, collection, lambda document: self._restore(collection, [document]))

    def read_again(self, collection: str, data: object) -> Value:
        """Read, segment and encode again from the kept original; all documents when none is named. What is searchable
        stays so until its successor is there."""

        def again(document: str) -> None:
            rows = self.context.library.documents(collection)
            documents = [row.document for row in rows if document in ("", row.document)]
            self.context.library.ledger.read_again(collection, documents)
            self._restore(collection, documents)

        return self._changed(data, collection, again)

    def check(self, collection: str) -> Value:
        """Compare store, ledger and originals to the last character."""
        return self._health(collection, full=True)

    def repair(self, collection: str) -> Value:
        """Rebuild from the originals what the full comparison finds wrong."""
        context = self.context
        try:
            problems = check(context.library, context.store, collection, full=True)
            if repair(context.library, context.store, collection, problems):
                context.wake()
        except Exception as error:  # as above
            return self.documents(collection, _sentence(error))
        return self.documents(collection)

    def _health(self, collection: str, *, full: bool) -> Value:
        """The documents with what is wrong: counts are compared each time, everything on request."""
        value = self.documents(collection)
        try:
            if not indexing(self.jobs.rows(collection)):
                problems = check(self.context.library, self.context.store, collection, full=full)
                value["problems"] = [{"name": one.name, "what": PROBLEMS[one.code]} for one in problems[:MAX_CHOICES]]
                value["checked"] = full
        except Exception as error:  # as above
            value["message"] = _sentence(error)
        return value

    def _changed(self, data: object, collection: str, act: Callable[[str], None]) -> Value:
        document = data.get("document") if isinstance(data, dict) else None
        message = ""
        try:
            if not (document == "" or is_document_id(document)):
                raise UserError(text("gone"))
            act(str(document))
        except Exception as error:  # as above
            message = _sentence(error)
        return self.documents(collection, message)

    def _remove(self, collection: str, documents: list[str]) -> None:
        remove_documents(self.context.library, self.context.store, collection, documents)

    def _restore(self, collection: str, documents: list[str]) -> None:
        restore_documents(self.context.library, collection, self.context.model_of(collection), documents)
        self.context.wake()

    # ---- originals

    def original(self, collection: str, document: str) -> tuple[Path, str] | None:
        """(file, name to save it under), or None if the collection has no such document."""
        row = self.context.library.ledger.document(collection, document) if is_document_id(document) else None
        path = self.context.library.originals.path(document) if row is not None else None
        return (
            (path, title(row.names) or row.title) if row is not None and path is not None and path.is_file() else None
        )

    def collection_named(self, name: object) -> str:
        """The name if it is one, else the collection of the settings."""
        good = isinstance(name, str) and _COLLECTION.fullmatch(name)
        return str(name) if good else self.context.settings.collection


def _checked(question: str) -> str:
    """The question, or a UserError if it is too long to be one: cut short it would be another."""
    if len(question) > MAX_QUESTION:
        raise UserError(text("too_long", n=MAX_QUESTION))
    return question


def _is_too_large(entry: Mapping[str, object], most: int) -> bool:
    size = entry.get("size")
    return "path" not in entry and isinstance(size, int) and size > most


def _sentence(error: Exception) -> str:
    message, reference = explain(error)
    return f"{message} {text('reference', reference=reference)}." if reference else message
