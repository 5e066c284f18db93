"""Mending what check.py finds, from the originals: nothing is deleted that was not rebuilt and verified first.

Documents that are wrong in the store are read again and written over; a collection that the engine cannot read is moved
aside; passages that nobody knows stay until a person says otherwise (`discard_unknown`). A store that does not answer,
and a collection of another home, are left alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from indexer.check import LEFT_ALONE, PROBLEMS, Problem, name_of, own_collections
from indexer.documents import recover, sources_of, take_back, unfinished, wrong_documents
from indexer.generations import agree_on_generations, enter_generations
from indexer.reembed import add_reembed_job
from indexer.sources import folders
from indexer.worker import collection_lock
from labse_search.errors import CollectionDamaged, StoreUnavailable, UserError
from labse_search.library import Library, Source, document_id
from labse_search.library.generations import Generation
from labse_search.naming import generation_name
from labse_search.records import Filter
from labse_search.store import Store, rewrite_words

ORIGINAL_LOST = ("original_missing", "original_damaged")
_READ_AGAIN = ("segments_missing", "segments_changed", "vectors_damaged")
_EXTENSIONS = {"text": "txt"}  # where a kind is not the extension that its reader goes by

Log = Callable[[str], None]


def repair(
    library: Library, store: Store, collection: str, problems: Sequence[Problem], *, log: Log = lambda line: None
) -> list[str]:
    """Mend what can be mended at once, and return the jobs that read the other documents again from their originals.
    What cannot be rebuilt stays as it is. UserError while a job of this collection is at work."""
    lock = library.lock(collection_lock(collection))
    if lock is None:
        raise UserError(
            f"Documents are being added to {collection!r}. Repair it when that is done, or pause the job first."
        )
    try:
        for problem in problems:
            if problem.code in LEFT_ALONE:
                log(f"{collection}: nothing was changed. {PROBLEMS[problem.code]} {problem.detail}".rstrip())
                return []
        return _Repair(library, store, collection, problems, log).run()
    finally:
        lock.release()


class _Repair:
    """One collection's repair, by whoever holds its lock."""

    def __init__(self, library: Library, store: Store, collection: str, problems: Sequence[Problem], log: Log) -> None:
        self._library = library
        self._store = store
        self._collection = collection
        self._found = {code: [one.document for one in problems if one.code == code] for code in PROBLEMS}
        self._log = log

    def run(self) -> list[str]:
        if self._found["generation_other"]:  # what else is wrong, the next look can tell
            agree_on_generations(self._library, self._store, self._collection)
            return []
        jobs = self._retried()
        if self._found["change_unfinished"]:
            recover(self._library, self._store, self._collection)
        for document in [document for code in ORIGINAL_LOST for document in self._found[code]]:
            if self._bring_back_original(document):
                self._log(f"{self._name(document)}: the original was kept again from where it came from")
        if self._found["words_outdated"]:
            self._log(f"folded the words of {rewrite_words(self._store, self._collection)} passages anew")
        for document in self._found["names_changed"]:
            self._tell_names(document)
        for document in self._found["segments_removed"]:  # a person took it out: that was not finished
            self._store.delete(self._collection, Filter(documents=(document,)))
        if self._found["collection_damaged"]:
            self._put_aside(self._collection)
        jobs += self._generations_again()
        sources = self._to_read_again() + self._unknown_sources()
        if sources:
            model = self._library.ledger.collections.all()[self._collection][0]
            jobs.append(self._library.add_index_job(self._collection, model, sources))
        return jobs

    def _retried(self) -> list[str]:
        """Jobs that broke off with documents half way in go on; documents of jobs that cannot are taken back."""
        ledger = self._library.ledger
        retried = set()
        job_of = dict(ledger.documents.storing(self._collection))
        failed = {job.id for job in ledger.jobs.recent(self._collection, limit=1000) if job.state == "failed"}
        for document in unfinished(self._library, self._collection):
            if job_of[document] in failed:
                retried.add(job_of[document])
            else:
                take_back(self._library, self._store, self._collection, document)
                if document not in self._found["segments_missing"]:
                    self._found["segments_missing"].append(document)
        for job in retried:
            self._log(f"the job {job}, which had failed, goes on")
            self._library.ask(job, "")
        return sorted(retried)

    def _generations_again(self) -> list[str]:
        """Jobs that embed again what generations that do not answer lack, or have of documents that are gone."""
        jobs = []
        known = self._library.ledger.generations.all(self._collection) if self._found["generation_damaged"] else []
        for one in known:
            wrong = self._wrong_in(one) if one.state == "ready" else []
            if wrong:
                self._library.ledger.generations.forget_documents(self._collection, wrong, one.number)
                job = add_reembed_job(self._library, self._collection, model=one.model, fingerprint=one.fingerprint)
                jobs += [job] if job else []
        return jobs

    def _wrong_in(self, generation: Generation) -> list[str]:
        """Documents that have to be embedded again; all of them where the generation cannot be read."""
        try:
            return wrong_documents(self._library, self._store, generation)
        except CollectionDamaged:
            self._put_aside(generation_name(self._collection, generation.number))
            return wrong_documents(self._library, self._store, generation)

    def _tell_names(self, document: str) -> None:
        names = self._library.ledger.names.of(self._collection, document)
        if names:
            self._store.rename(self._collection, document, names, folders(names))

    def _put_aside(self, name: str) -> None:
        aside = self._store.put_aside(name)
        if aside is None:
            raise UserError(f"{name} at {self._store.location} is damaged: that is for its operator.")
        self._log(f"the damaged collection now lies in {aside}; remove it when all is well again")

    def _to_read_again(self) -> list[Source]:
        """The originals of documents that are wrong in the store. Each counts as not stored until its job is done, and
        stays searchable as far as it is."""
        ledger = self._library.ledger
        wrong = {document for code in _READ_AGAIN for document in self._found[code]}
        if self._found["collection_missing"] or self._found["collection_damaged"]:
            wrong |= {row.document for row in self._library.documents(self._collection)}
        again = []
        for document in sorted(wrong):
            if self._has_original(document):
                again.append(document)
            else:
                self._log(f"{self._name(document)}: the original is gone, it has to be added again")
        ledger.documents.read_again(self._collection, wrong)
        return [source for document in again for source in self._sources(document)]

    def _unknown_sources(self) -> list[Source]:
        """Of passages that nobody knows, the documents whose originals are kept: they are added again."""
        sources: list[Source] = []
        for document in self._found["segments_unknown"]:
            first = next(iter(self._store.segments(self._collection, Filter(documents=(document,)))), None)
            if first is not None and self._library.originals.path(document).exists():
                sources += self._sources(document, first.names)
        return sources

    def _has_original(self, document: str) -> bool:
        """Whether the original is there and whole; brought back from where it came from if it can be."""
        original = self._library.originals.path(document)
        return (original.exists() and document_id(original) == document) or self._bring_back_original(document)

    def _bring_back_original(self, document: str) -> bool:
        """Keep the original again, from the file it was once read from."""
        for name in self._library.ledger.names.of(self._collection, document):
            known = self._library.ledger.names.get(self._collection, name)
            if known is not None and known[1] and self._library.originals.keep(Path(known[1]), document):
                return True
        return False

    def _sources(self, document: str, names: Sequence[str] = ()) -> list[Source]:
        return sources_of(self._library, document, names or self._library.ledger.names.of(self._collection, document))

    def _name(self, document: str) -> str:
        return name_of(self._library, self._collection, document)


def unknown_passages(store: Store, collection: str, problems: Sequence[Problem]) -> tuple[int, int]:
    """(documents, passages) that the store holds and the ledger does not know."""
    documents = [problem.document for problem in problems if problem.code == "segments_unknown"]
    return len(documents), sum(store.count(collection, Filter(documents=(document,))) for document in documents)


def discard_unknown(store: Store, collection: str, problems: Sequence[Problem]) -> int:
    """Delete those passages for good: only ever after a person has read the counts and agreed. How many documents."""
    documents = tuple(problem.document for problem in problems if problem.code == "segments_unknown")
    if documents:
        store.delete(collection, Filter(documents=documents))
    return len(documents)


def rebuild_ledger(library: Library, store: Store, *, log: Log = lambda line: None) -> list[str]:
    """Fill an empty ledger again: the store knows the documents and their names, the library has the originals.
    Returns the jobs that read them once more, one a collection. Originals that no collection holds (of removed
    documents, or of what the store lost too) are added below "recovered": nothing that was kept goes unseen."""
    jobs = []
    seen: set[str] = set()
    collections = own_collections(library, store)
    for collection in collections:
        try:
            enter_generations(library, store, collection)
            names: dict[str, set[str]] = {}
            for stored in store.segments(collection):
                names.setdefault(stored.document, set()).update(stored.names)
        except StoreUnavailable as error:
            log(f"{collection}: {error}")
            continue
        model = library.ledger.collections.all()[collection][0]
        seen |= {*names}
        sources = []
        for document, known in sorted(names.items()):
            if library.originals.path(document).exists():
                sources += sources_of(library, document, sorted(known))
            else:
                log(f"{', '.join(sorted(known))}: the original is gone, it has to be added again")
        if collection == collections[-1]:
            sources += recovered(library, [one for one in library.originals.documents() if one not in seen], log)
        if sources:
            jobs.append(library.add_index_job(collection, model, sources))
    return jobs


def recovered(library: Library, documents: Sequence[str], log: Log = lambda line: None) -> list[Source]:
    """Originals that no collection knows, as files of a job, below "recovered"."""
    sources = []
    for document in documents:
        try:
            extraction = library.originals.text(document)
            extension = _EXTENSIONS.get(extraction.kind, extraction.kind)
            name = f"recovered/{document[:8]} {(extraction.title or '').replace('/', ' ')}".rstrip()
            sources += sources_of(library, document, [f"{name}.{extension}"])
        except (OSError, EOFError, zlib.error, KeyError, ValueError):  # never read, or damaged too
            sources += sources_of(library, document, [f"recovered/{document[:8]}"])
    if sources:
        log(f'{len(sources)} originals were in no collection: they are added below "recovered"')
    return sources
