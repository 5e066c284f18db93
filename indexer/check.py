"""Does the store hold what the ledger says, and are the originals whole? And what to do where they do not.

The store's engine keeps no checksums: a truncated file opens with half its points and says nothing. So counts are
compared at every start, and every text with its digest on request.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.documents import remove_documents, restore_documents, settle, unfinished
from indexer.jobs import collection_lock
from labse_search.errors import CollectionMissing, StoreUnavailable, UserError
from labse_search.library import DocumentRow, Library, Source, document_id, segments_digest
from labse_search.records import Filter
from labse_search.similarity import Vectors
from labse_search.store import Store

LENGTH_TOLERANCE = 1e-3  # float32 of 768 values stays within 1e-6; bf16 encoders are made unit afterwards

# What can be wrong, and what a person reads.
PROBLEMS = {
    "ledger_damaged": "The ledger is damaged.",
    "ledger_empty": "The ledger knows no collection, the store does.",
    "collection_missing": "The store has lost this collection.",
    "collection_damaged": "The store cannot open this collection.",
    "segments_missing": "The store lacks passages of this document.",
    "segments_changed": "The store holds other text than was read from this document.",
    "vectors_damaged": "The store holds broken vectors of this document.",
    "segments_unknown": "The store holds passages of a document that the ledger does not know.",
    "names_changed": "The store knows this document under other names than the ledger.",
    "document_unfinished": "This document is half way in, and its job does not go on. Press Retry, or repair.",
    "original_missing": "The original is gone. Search works; add the file again to be able to rebuild.",
    "original_damaged": "The original no longer has the content it was kept for. Add the file again.",
}
_COLLECTION_LOST = ("collection_missing", "collection_damaged")
_READ_AGAIN = ("segments_missing", "segments_changed", "vectors_damaged")
ORIGINAL_LOST = ("original_missing", "original_damaged")
_EXTENSIONS = {"text": "txt"}  # where a kind is not the extension that its reader goes by


@dataclass(frozen=True)
class Problem:
    code: str  # a key of PROBLEMS
    collection: str
    document: str = ""
    name: str = ""
    detail: str = ""


def check(library: Library, store: Store, collection: str, *, full: bool = False) -> list[Problem]:
    """What is wrong with one collection. Counts only, in well under a second for 10,000 documents; `full` reads every
    segment and every original too. What a job that is at work changes meanwhile is not taken for a problem."""
    damage = library.ledger.damage()
    if damage:  # nothing it says can be relied on
        return [Problem("ledger_damaged", collection, detail="; ".join(damage[:3]))]
    try:
        return _check_collection(library, store, collection, full=full)
    except CollectionMissing:
        return [Problem("collection_missing", collection)] if library.documents(collection) else []
    except StoreUnavailable as error:  # some damage shows only when the engine reads what is damaged
        return [Problem("collection_damaged", collection, detail=str(error))]


def check_ledger(library: Library, store: Store) -> list[Problem]:
    """What is wrong with the ledger as a whole: damaged pages, or nothing in it though the store holds collections."""
    damage = library.ledger.damage()
    if damage:
        return [Problem("ledger_damaged", "", detail="; ".join(damage[:3]))]
    if not library.ledger.collections() and store.collections():
        return [Problem("ledger_empty", "", detail=", ".join(store.collections()))]
    return []


def repair(
    library: Library,
    store: Store,
    collection: str,
    problems: Sequence[Problem],
    *,
    log: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Take out what is wrong in the store and make a job that reads those documents again from their originals.
    Returns the job's id; None if nothing has to be read. What cannot be rebuilt stays as it is. UserError while a job
    of this collection is at work."""
    lock = library.lock(collection_lock(collection))
    if lock is None:
        raise UserError(
            f"Documents are being added to {collection!r}. Repair it when that is done, or pause the job first."
        )
    try:
        return _repair(library, store, collection, problems, log)
    finally:
        lock.release()


def _repair(
    library: Library, store: Store, collection: str, problems: Sequence[Problem], log: Callable[[str], None]
) -> str | None:
    by_code = {code: [problem.document for problem in problems if problem.code == code] for code in PROBLEMS}
    for document in [document for code in ORIGINAL_LOST for document in by_code[code]]:
        if _bring_back_original(library, collection, document):
            log(f"{_name(library, collection, document)}: the original was kept again from where it came from")
    for document in by_code["names_changed"]:
        settle(library, store, collection, document)
    for document in by_code["document_unfinished"]:
        remove_documents(library, store, collection, [document])
    whole = any(by_code[code] for code in _COLLECTION_LOST)
    rows = library.documents(collection)
    wrong = {document for code in _READ_AGAIN for document in by_code[code]} | {*by_code["document_unfinished"]}
    if whole:
        wrong |= {row.document for row in rows}
    lost = [document for document in sorted(wrong) if not _has_original(library, collection, document)]
    for document in lost:
        log(f"{_name(library, collection, document)}: the original is gone, it has to be added again")
    library.ledger.read_again(collection, lost)
    again = sorted(wrong - {*lost})
    if whole:
        log(f"making the collection {collection} anew")
        store.drop(collection)
    elif again:
        store.delete(collection, Filter(documents=tuple(again)))
    sources = _unknown_sources(library, store, collection, by_code["segments_unknown"])
    model = library.ledger.collections()[collection][0]
    if not again and not sources:
        return None
    with library.ledger.transaction():  # a worker must not see the job before the documents are marked
        if not sources:
            job = restore_documents(library, collection, model, again)
        else:
            known = [one for document in again for one in _sources(library, collection, document)]
            job = library.add_index_job(collection, model, [*known, *sources])
        for document in again:
            library.ledger.set_state(collection, document, "storing", job=job)
    return job


def _check_collection(library: Library, store: Store, collection: str, *, full: bool) -> list[Problem]:
    rows = library.documents(collection)
    counts = store.facet(collection, "document")
    known = {row.document for row in library.ledger.documents(collection, ("stored", "storing", "removing"))}
    problems = [
        Problem("segments_unknown", collection, document, detail=f"{count}")
        for document, count in counts.items()
        if document not in known and store.count(collection, Filter(documents=(document,)))
    ]
    for row in rows:
        problems += _check_document(library, store, row, counts.get(row.document, 0), full=full)
    problems += [
        Problem("document_unfinished", collection, document, _name(library, collection, document))
        for document in unfinished(library, collection)
    ]
    return problems


def _check_document(library: Library, store: Store, row: DocumentRow, count: int, *, full: bool) -> list[Problem]:
    where = Filter(documents=(row.document,))
    problems: list[tuple[str, str]] = []
    if count != row.segments:
        count = store.count(row.collection, where)  # it may just have been written
    if count != row.segments:
        problems.append(("segments_missing", f"{count} of {row.segments}"))
    elif full:
        stored = list(store.segments(row.collection, where))
        if segments_digest(one.segment for one in stored) != row.digest:
            problems.append(("segments_changed", ""))
        if any(one.names != row.names for one in stored):
            problems.append(("names_changed", ""))
        vectors = store.vectors(row.collection, [one.point for one in stored])
        broken = sum(one.point not in vectors or not _is_unit(vectors[one.point]) for one in stored)
        if broken:
            problems.append(("vectors_damaged", f"{broken} of {row.segments}"))
    original = library.originals.path(row.document)
    if not original.exists():
        problems.append(("original_missing", ""))
    elif original.stat().st_size != row.bytes or full and document_id(original) != row.document:
        problems.append(("original_damaged", ""))
    if problems and library.ledger.document(row.collection, row.document) != row:
        return []  # a job or a person changed it while we looked
    name = row.names[0] if row.names else row.document
    return [Problem(code, row.collection, row.document, name, detail) for code, detail in problems]


def _is_unit(vector: Vectors) -> bool:
    """What was stored had length 1: zeros, garbage and most flipped bits give another one."""
    return bool(abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) < LENGTH_TOLERANCE)


def _name(library: Library, collection: str, document: str) -> str:
    return ", ".join(library.ledger.names(collection, document)) or document


def _has_original(library: Library, collection: str, document: str) -> bool:
    """Whether the original is there and whole; brought back from where it came from if it can be."""
    original = library.originals.path(document)
    return (original.exists() and document_id(original) == document) or _bring_back_original(
        library, collection, document
    )


def _bring_back_original(library: Library, collection: str, document: str) -> bool:
    """Keep the original again, from the file it was once read from."""
    for name in library.ledger.names(collection, document):
        known = library.ledger.name(collection, name)
        path = Path(known[1]) if known is not None and known[1] else None
        if path is not None and path.is_file() and document_id(path) == document:
            library.originals.path(document).unlink(missing_ok=True)
            return library.originals.keep(path, document)
    return False


def _sources(library: Library, collection: str, document: str, names: Sequence[str] = ()) -> list[Source]:
    original = library.originals.path(document)
    size = original.stat().st_size
    return [Source(str(original), name, size) for name in names or library.ledger.names(collection, document)]


def _unknown_sources(library: Library, store: Store, collection: str, documents: Sequence[str]) -> list[Source]:
    """Passages nobody knows: those of documents whose originals are kept are added again, the others taken out."""
    sources: list[Source] = []
    for document in documents:
        where = Filter(documents=(document,))
        first = next(iter(store.segments(collection, where)), None)
        row = library.ledger.document(collection, document)
        if row is None and first is not None and library.originals.path(document).exists():
            sources += _sources(library, collection, document, first.names)
        else:
            store.delete(collection, where)
    return sources


def rebuild_ledger(library: Library, store: Store, *, log: Callable[[str], None] = lambda line: None) -> list[str]:
    """Fill an empty ledger again: the store knows the documents and their names, the library has the originals.
    Returns the jobs that read them once more, one a collection. Originals that no collection holds (of removed
    documents, or of what the store lost too) are added below "recovered": nothing that was kept goes unseen."""
    jobs = []
    seen: set[str] = set()
    collections = store.collections()
    for collection in collections:
        try:
            spec = store.info(collection).spec
            names: dict[str, set[str]] = {}
            for stored in store.segments(collection):
                names.setdefault(stored.document, set()).update(stored.names)
        except StoreUnavailable as error:
            log(f"{collection}: {error}")
            continue
        library.ledger.set_collection(collection, model=spec.model, fingerprint=spec.fingerprint, store=store.location)
        seen |= {*names}
        sources = []
        for document, known in sorted(names.items()):
            if library.originals.path(document).exists():
                sources += _sources(library, collection, document, sorted(known))
            else:
                log(f"{', '.join(sorted(known))}: the original is gone, it has to be added again")
        if collection == collections[-1]:
            sources += _recovered(library, seen, log)
        if sources:
            jobs.append(library.add_index_job(collection, spec.model, sources))
    return jobs


def _recovered(library: Library, seen: set[str], log: Callable[[str], None]) -> list[Source]:
    sources = []
    for document in library.originals.documents():
        if document not in seen:
            try:
                extraction = library.originals.text(document)
                extension = _EXTENSIONS.get(extraction.kind, extraction.kind)
                name = f"recovered/{document[:8]} {(extraction.title or '').replace('/', ' ')}".rstrip()
                sources += _sources(library, "", document, [f"{name}.{extension}"])
            except (OSError, EOFError, zlib.error, KeyError, ValueError):  # never read, or damaged too
                sources += _sources(library, "", document, [f"recovered/{document[:8]}"])
    if sources:
        log(f'{len(sources)} originals were in no collection: they are added below "recovered"')
    return sources
