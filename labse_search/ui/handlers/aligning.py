"""What happens with translations: which documents are translations of each other, and two of them side by side. Values
in, values out; no gradio here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from labse_search.align.copies import Copy
from labse_search.align.jobs import ALIGN, FIND, add_align_job, add_find_job
from labse_search.align.kept import Action as Correction
from labse_search.align.kept import Alignments, KeptAlignment, alignment_id
from labse_search.align.known import known_translations
from labse_search.align.translations import Translation
from labse_search.corpora.written import write_pairs
from labse_search.errors import UserError
from labse_search.library import DocumentRow, JobRow
from labse_search.records import UNKNOWN_LANGUAGE
from labse_search.ui.cards import title
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import MAX_CHOICES, Shared, Value, guarded, sentence, then_shown
from labse_search.ui.handlers.jobs import ask_job, job_value
from labse_search.ui.strings import text

LISTED = 200  # pairs of documents
REVIEWED_FROM = 1.0  # added to an aligned pair's margin, a difference: mined pairs of the review list have ratios


class AligningHandlers:
    """What the list of translations and the reader of two documents do."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context
        self.kept = Alignments(shared.context.settings.home)

    def shown(self, collection: str, message: str = "") -> Value:
        """The translations and copies that are known, what was aligned, and the documents to choose from. Documents
        that changed since somebody looked are looked at by a job of their own."""

        def look() -> Value:
            library = self.context.library
            documents = library.documents(collection)
            job = add_find_job(library, collection, documents)
            rows = {row.document: row for row in documents}
            known = known_translations(library, collection, documents)
            jobs = [self._newest(collection, kind) for kind in (FIND, ALIGN)]
            if job is not None or any(one and one.state in ("queued", "running") for one in jobs):
                self.context.wake()  # a worker that died is replaced
            pairs, copies = (known.pairs, known.copies) if known else ((), ())
            several = [row for row in documents if len(row.names) > 1]
            return {
                "pairs": [_pair(rows, one) for one in pairs[:LISTED]],
                "more": max(0, len(pairs) - LISTED),
                "copies": [_pair(rows, one) for one in copies[:LISTED]],
                "several": [{**_named(row), "names": sorted(row.names)[:LISTED]} for row in several[:LISTED]],
                "more_copies": max(0, len(copies) - LISTED) + max(0, len(several) - LISTED),
                "kept": [_summary(one) for one in self.kept.all(collection)],
                "documents": [_named(row) for row in documents[-MAX_CHOICES:]],
                "looked": known is not None,
                "jobs": [job_value(one) for one in jobs if one and one.state not in ("done", "cancelled")],
            }

        value = guarded(look, lambda *failed: {"message": sentence(*failed)})
        return {"message": message} | value | {"collection": collection, "nonce": time.time_ns()}

    def request(self, collection: str, event: Event) -> Value:
        """Pause, go on with or cancel a job."""
        return then_shown(lambda: ask_job(self.context, event), self.shown, collection)

    def forget(self, collection: str, event: Event) -> Value:
        """Forget an alignment with what was corrected in it; the page has asked."""
        return then_shown(lambda: self.kept.drop(event.text("id")), self.shown, collection)

    def align(self, collection: str, event: Event) -> Value:
        """Two documents side by side: what is kept of them, else how far the job is that aligns them. It is begun where
        there is none, or the last one was cancelled; one that failed is begun again by `ask`."""

        def look() -> Value:
            source, target = event.document("source"), event.document("target")
            if not source or not target or source == target:
                raise UserError(text("gone"))
            one = self._kept(collection, source, target)
            if one is not None:
                return aligned_value(one)
            return {"job": job_value(self._job(collection, source, target))}

        return self._answered(event, look)

    def ask(self, collection: str, event: Event) -> Value:
        """Pause, go on with or cancel the job that aligns two documents; how far it is then."""

        def look() -> Value:
            ask_job(self.context, event)
            return {"job": job_value(self.context.library.job(event.text("job")))}

        return self._answered(event, look)

    def correct(self, collection: str, event: Event) -> Value:
        """Correct one place of an alignment, or take the last correction back. Its beads then."""

        def change() -> Value:
            action, at = event.text("action"), event.number("at")
            if action != "undo" and (action not in get_args(Correction) or at is None):
                raise UserError(text("gone"))
            one = self.kept.change(event.text("id"), cast(Any, action), at or 0)
            return {"id": one.id, "beads": one.beads, "undo": len(one.corrections)}

        return self._answered(event, change)

    def to_review(self, collection: str, event: Event) -> Value:
        """Put the pairs of an alignment on the review list of the Teach tab."""

        def put() -> Value:
            pairs = self._found(event.text("id")).pairs()
            raised = [replace(one, score=REVIEWED_FROM + one.score) for one in pairs]
            new = self.shared.teaching.pairs.add(collection, raised)
            return {"id": event.text("id"), "reviewed": {"n": len(pairs), "new": new}}

        return self._answered(event, put)

    def file(self, alignment: str, kind: str) -> bytes:
        """The pairs of an alignment as "tsv" or "tmx". UserError where there are none."""
        pairs = self._found(alignment).pairs()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"pairs.{kind}"
            write_pairs(path, pairs)
            return path.read_bytes()

    def _found(self, alignment: str) -> KeptAlignment:
        one = self.kept.get(alignment)
        if one is None:
            raise UserError(text("gone"))
        return one

    def _kept(self, collection: str, source: str, target: str) -> KeptAlignment | None:
        """Of the two documents, in whichever order they were aligned."""
        found = self.kept.get(alignment_id(collection, source, target))
        return found or self.kept.get(alignment_id(collection, target, source))

    def _job(self, collection: str, source: str, target: str) -> JobRow:
        """The job that aligns these two, begun where none waits, goes on, or failed."""
        library = self.context.library
        if not {source, target} <= {row.document for row in library.documents(collection)}:
            raise UserError(text("gone"))
        names = {f"{source} {target}", f"{target} {source}"}
        for job in library.jobs(collection, kinds=(ALIGN,)):
            if any(file.source.name in names for file in library.job_files(job.id)):
                if job.state in ("queued", "running"):
                    self.context.wake()
                if job.state not in ("done", "cancelled"):
                    return job
                break
        job_id = add_align_job(library, collection, source, target)
        self.context.wake()
        return library.job(job_id)

    def _newest(self, collection: str, kind: str) -> JobRow | None:
        return next(iter(self.context.library.jobs(collection, limit=1, kinds=(kind,))), None)

    def _answered(self, event: Event, act: Callable[[], Value]) -> Value:
        """For align.js: which documents it is about, what they asked for, and what went wrong."""
        value = guarded(act, lambda *failed: {"message": sentence(*failed)})
        asked = {"source": event.document("source"), "target": event.document("target")}
        return {"asked": asked, "message": ""} | value | {"nonce": time.time_ns()}


def also_in(shared: Shared, collection: str, document: str) -> list[Value]:
    """The translations of a document that are known, for the reader."""
    known = known_translations(shared.context.library, collection)
    if known is None:
        return []
    others = known.of(document)
    rows = {row.document: row for row in shared.context.library.documents(collection)} if others else {}
    return [_named(rows[other]) for other in others if other in rows]


def aligned_value(one: KeptAlignment) -> Value:
    """For align.js: both texts, and what says what."""
    sides = [
        {"document": side.document, "title": side.title, "lang": side.language, "sentences": side.sentences}
        for side in (one.source, one.target)
    ]
    return {"id": one.id, "sides": sides, "beads": one.beads, "undo": len(one.corrections)}


def _summary(one: KeptAlignment) -> Value:
    sides = {
        name: {"document": side.document, "title": side.title, "lang": side.language}
        for name, side in (("source", one.source), ("target", one.target))
    }
    return {"id": one.id, **sides, "n": sum(a < b and c < d for a, b, c, d, _ in one.beads)}


def _pair(rows: dict[str, DocumentRow], one: Translation | Copy) -> Value:
    return {"source": _named(rows[one.source]), "target": _named(rows[one.target]), "share": one.share}


def _named(row: DocumentRow) -> Value:
    languages = {code: n for code, n in row.languages.items() if code != UNKNOWN_LANGUAGE}
    lang = max(languages, key=lambda code: languages[code]) if languages else ""
    return {"document": row.document, "title": title(row.names) or row.title, "lang": lang}
