"""Does the store hold what the ledger says, and are the originals whole? And what to do where they do not.

The store's engine keeps no checksums: a truncated file opens with half its points and says nothing. So counts are
compared at every start, and every text with its digest on request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexer.documents import forget, restore_documents
from labse_search.errors import CollectionMissing, StoreUnavailable
from labse_search.library import DocumentRow, Library, Source, document_id, segments_digest
from labse_search.records import Filter
from labse_search.store import Store

# What can be wrong, and what a person reads.
PROBLEMS = {
    "ledger_damaged": "The ledger is damaged.",
    "collection_missing": "The store has lost this collection.",
    "collection_damaged": "The store cannot open this collection.",
    "segments_missing": "The store lacks passages of this document.",
    "segments_changed": "The store holds other text than was read from this document.",
    "segments_unknown": "The store holds passages of a document that the ledger does not know.",
    "original_missing": "The original is gone. Search works; add the file again to be able to rebuild.",
    "original_damaged": "The original no longer has the content it was kept for. Add the file again.",
}
REPAIRABLE = ("collection_missing", "collection_damaged", "segments_missing", "segments_changed", "segments_unknown")


@dataclass(frozen=True)
class Problem:
    code: str  # a key of PROBLEMS
    collection: str
    document: str = ""
    name: str = ""
    detail: str = ""


def check(library: Library, store: Store, collection: str, *, full: bool = False) -> list[Problem]:
    """What is wrong with one collection. Counts only, in well under a second for 10,000 documents; `full` reads every
    segment and every original too."""
    rows = library.documents(collection)
    problems = [Problem("ledger_damaged", collection, detail=line) for line in library.ledger.damage()]
    try:
        counts = store.facet(collection, "document")
    except CollectionMissing:
        return [*problems, Problem("collection_missing", collection)] if rows else problems
    except StoreUnavailable as error:
        return [*problems, Problem("collection_damaged", collection, detail=str(error))]
    for row in rows:
        problems += _check_document(library, store, row, counts.get(row.document, 0), full=full)
    known = {row.document for row in library.ledger.documents(collection, ("stored", "storing", "removing"))}
    problems += [
        Problem("segments_unknown", collection, document, detail=f"{count}")
        for document, count in counts.items()
        if document not in known
    ]
    return problems


def repair(
    library: Library,
    store: Store,
    collection: str,
    problems: Sequence[Problem],
    *,
    log: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Take out what is wrong in the store and make a job that reads those documents again from their originals.
    Returns the job's id; None if nothing has to be read."""
    codes = {problem.code for problem in problems}
    model, _ = library.ledger.collections().get(collection, ("", ""))
    if codes & {"collection_missing", "collection_damaged"}:
        log(f"making the collection {collection} anew")
        store.drop(collection)
        wrong = [row.document for row in library.documents(collection)]
    else:
        wrong = list(dict.fromkeys(p.document for p in problems if p.code in REPAIRABLE))
        if wrong:
            store.delete(collection, Filter(documents=tuple(wrong)))
    known = [row.document for row in library.documents(collection) if row.document in set(wrong)]
    lost = [document for document in known if not library.originals.path(document).exists()]
    for document in lost:
        log(f"{', '.join(library.ledger.names(collection, document))}: the original is gone, it has to be added again")
        forget(library, collection, document)
    known = [document for document in known if document not in lost]
    if not known:
        return None
    job = restore_documents(library, collection, model, known)
    with library.ledger.transaction():
        for document in known:
            library.ledger.set_state(collection, document, "storing", job=job)
    return job


def _check_document(library: Library, store: Store, row: DocumentRow, count: int, *, full: bool) -> list[Problem]:
    name = row.names[0] if row.names else row.document
    problems = []
    if count != row.segments:
        detail = f"{count} of {row.segments}"
        problems.append(Problem("segments_missing", row.collection, row.document, name, detail))
    elif full:
        stored = store.segments(row.collection, Filter(documents=(row.document,)))
        if segments_digest(one.segment for one in stored) != row.digest:
            problems.append(Problem("segments_changed", row.collection, row.document, name))
    original = library.originals.path(row.document)
    if not original.exists():
        problems.append(Problem("original_missing", row.collection, row.document, name))
    elif full and document_id(original) != row.document:
        problems.append(Problem("original_damaged", row.collection, row.document, name))
    return problems


def rebuild_ledger(library: Library, store: Store, *, log: Callable[[str], None] = lambda line: None) -> list[str]:
    """Fill an empty ledger again: the store knows the documents and their names, the library has the originals.
    Returns the jobs that read them once more, one a collection."""
    jobs = []
    for collection in store.collections():
        info = store.info(collection)
        names: dict[str, set[str]] = {}
        for stored in store.segments(collection):
            names.setdefault(stored.document, set()).update(stored.names)
        library.ledger.set_collection(
            collection, model=info.spec.model, fingerprint=info.spec.fingerprint, store=store.location
        )
        sources = []
        for document, known in sorted(names.items()):
            original = library.originals.path(document)
            if original.exists():
                sources += [Source(str(original), name, original.stat().st_size) for name in sorted(known)]
            else:
                log(f"{', '.join(sorted(known))}: the original is gone, it has to be added again")
        if sources:
            jobs.append(library.add_index_job(collection, info.spec.model, sources))
    return jobs
