"""Does the store hold what the ledger says, and are the originals whole? repair.py mends what is found here.

The store's engine keeps no checksums: a truncated file opens with half its points and says nothing. So counts are
compared at every start, and every text with its digest on request. Nothing is changed by looking.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.documents import broken_off, unfinished, wrong_documents
from indexer.worker import collection_lock, waiting
from labse_search.errors import (
    CollectionDamaged,
    CollectionElsewhere,
    CollectionForeign,
    CollectionMissing,
    StoreUnavailable,
)
from labse_search.home import home_id
from labse_search.library import DocumentRow, Library, document_id, segments_digest
from labse_search.naming import generation_name
from labse_search.records import Filter
from labse_search.similarity import Vectors
from labse_search.store import Store, words_outdated

LENGTH_TOLERANCE = 1e-3  # float32 of 768 values stays within 1e-6; bf16 encoders are made unit afterwards
LEFT_SECONDS = 3600.0  # after which nobody is still looking at what the files that they dropped would do

# What can be wrong, and what a person reads.
PROBLEMS = {
    "ledger_damaged": "The ledger is damaged.",
    "ledger_empty": "The ledger knows no collection, the store does.",
    "ledger_replaced": "The ledger's files were replaced or deleted while it was open: additions may be missing.",
    "store_silent": "The store does not answer, or only with an error. Nothing can be said until it does.",
    "collection_foreign": "Another home has this collection on the server now. Here it is only read.",
    "collection_elsewhere": "Another store holds this collection. Here nothing is known of it.",
    "collection_missing": "The store has lost this collection.",
    "collection_damaged": "The store cannot read this collection.",
    "segments_missing": "The store lacks passages of this document.",
    "segments_changed": "The store holds other text than was read from this document.",
    "vectors_damaged": "The store holds broken vectors of this document.",
    "segments_unknown": "The store holds passages of a document that the ledger does not know.",
    "segments_removed": "The store still holds passages of a document that was removed.",
    "words_outdated": "The words of this collection were folded by another version: some are not found.",
    "generation_other": "The store answers by another generation, or another model, than the ledger says.",
    "generation_damaged": "A generation that does not answer lacks or has passages that it should not.",
    "names_changed": "The store knows this document under other names than the ledger.",
    "document_unfinished": "This document is half way in, and its job does not go on. Press Retry, or repair.",
    "change_unfinished": "The removal of this document, or its new name, was broken off half way. Repair finishes it.",
    "job_waiting": "This job waits, and nobody does it. Open the app, or repair.",
    "original_unknown": "An original is kept that the ledger does not know: its addition was lost.",
    "uploads_left": "A file that was uploaded is in no job any more: it was never indexed. Add it again.",
    "original_missing": "The original is gone. Search works; add the file again to be able to rebuild.",
    "original_damaged": "The original no longer has the content it was kept for. Add the file again.",
}

# What no repair may touch: nothing is known of the store's own files, or they are somebody else's.
LEFT_ALONE = ("store_silent", "collection_foreign", "collection_elsewhere")


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be, and what it is about."""

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
    except CollectionMissing:  # the one that answers: others may be there
        known = library.ledger.documents.all(collection, ("stored", "storing"))
        return [Problem("collection_missing", collection)] if known else []
    except CollectionForeign as error:
        return [Problem("collection_foreign", collection, detail=str(error))]
    except CollectionElsewhere as error:
        return [Problem("collection_elsewhere", collection, detail=str(error))]
    except CollectionDamaged as error:  # some damage shows only when the engine reads what is damaged
        return [Problem("collection_damaged", collection, detail=str(error))]
    except StoreUnavailable as error:
        return [Problem("store_silent", collection, detail=str(error))]


def advice(problems: Sequence[Problem]) -> str:
    """What to do about them, in a sentence or two."""
    codes = {problem.code for problem in problems}
    sentences = [PROBLEMS[code] for code in LEFT_ALONE if code in codes]
    if "segments_unknown" in codes:
        sentences.append(
            "The store holds documents that this home does not know; they stay unless you say otherwise: "
            "python -m labse_search.library check --discard-unknown"
        )
    if codes - {*LEFT_ALONE, "segments_unknown"}:
        sentences.append(
            "Press Repair in the Collection tab, or run: python -m labse_search.library check --repair (it rebuilds "
            "from the originals and deletes nothing)"
        )
    return " ".join(sentences)


def check_home(library: Library, store: Store) -> list[Problem]:
    """What is wrong with the home as a whole: its ledger, its jobs, what was uploaded."""
    damage = library.ledger.damage()
    if damage:
        return [Problem("ledger_damaged", "", detail="; ".join(damage[:3]))]
    problems = [Problem("ledger_replaced", "", detail=when) for when in library.ledger.replacements()]
    if not library.ledger.collections.all():
        try:
            known = own_collections(library, store)
        except StoreUnavailable as error:
            return [*problems, Problem("store_silent", "", detail=str(error))]
        if known:
            problems.append(Problem("ledger_empty", "", detail=", ".join(known)))
    problems += [Problem("job_waiting", job.collection, name=job.id) for job in waiting(library)]
    problems += [Problem("original_unknown", "", document) for document in unknown_originals(library)]
    problems += [Problem("uploads_left", "", name=path.name) for path in uploads_left(library)]
    return problems


def own_collections(library: Library, store: Store) -> list[str]:
    """The store's collections that are this home's, or nobody's."""
    found = []
    for collection in store.collections():
        try:
            owner = store.info(collection).owner
        except (CollectionDamaged, CollectionMissing):  # the embedded store's, which is this home's own
            owner = ""
        except CollectionForeign:
            continue
        if not owner or owner == home_id(library.home):
            found.append(collection)
    return found


def unknown_originals(library: Library) -> list[str]:
    """Documents whose originals are kept and whom no collection knows. None while a job is not over, which keeps
    originals before it says so."""
    if library.ledger.jobs.unfinished():
        return []
    known = library.ledger.documents.everywhere()
    return [document for document in library.originals.documents() if document not in known]


def uploads_left(library: Library) -> Iterator[Path]:
    """Uploaded files that no job will look at, and that nobody is about to start a job with."""
    folder, limit = library.home / "uploads", time.time() - LEFT_SECONDS
    expected = {file.source.path for job in library.ledger.jobs.unfinished() for file in library.job_files(job.id)}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink() and str(path) not in expected and path.stat().st_mtime < limit:
            yield path


def _check_collection(library: Library, store: Store, collection: str, *, full: bool) -> list[Problem]:
    library.ledger.collections.check_store(collection, store.location)
    rows = library.documents(collection)
    info = store.info(collection)
    if info.owner and info.owner != home_id(library.home):
        return [Problem("collection_foreign", collection)]
    known_generations = library.ledger.generations.all(collection)
    for one in known_generations:
        if one.state == "serving" and (one.number, one.fingerprint) != (info.generation, info.spec.fingerprint):
            if one.number not in store.generations(collection):
                raise CollectionMissing(generation_name(collection, one.number))
            detail = f"generation {info.generation} by {info.spec.model} instead of {one.number} by {one.model}"
            return [Problem("generation_other", collection, detail=detail)]
    counts = store.facet(collection, "document")
    known = {row.document for row in library.ledger.documents.all(collection, ("stored", "storing", "removing"))}
    removed = {row.document for row in library.removed_documents(collection)}
    problems = [
        Problem("segments_removed" if document in removed else "segments_unknown", collection, document, "", f"{count}")
        for document, count in counts.items()
        if document not in known and store.count(collection, Filter(documents=(document,)))
    ]
    for row in rows:
        problems += _check_document(library, store, row, counts.get(row.document, 0), full=full)
    for one in known_generations:
        detail = f"generation {one.number}"
        try:
            wrong = wrong_documents(library, store, one) if one.state == "ready" else []
        except CollectionDamaged as error:  # the one that answers is not
            wrong, detail = [""], f"{detail}: {error}"
        problems += [Problem("generation_damaged", collection, document, "", detail) for document in wrong]
    if words_outdated(info):
        problems.append(Problem("words_outdated", collection))
    problems += [
        Problem("document_unfinished", collection, document, name_of(library, collection, document))
        for document in unfinished(library, collection)
    ]
    broken = _broken_off(library, collection)
    problems = [one for one in problems if one.code != "names_changed" or one.document not in broken]  # told below
    problems += [
        Problem("change_unfinished", collection, document, name_of(library, collection, document))
        for document in broken
    ]
    return problems


def _broken_off(library: Library, collection: str) -> list[str]:
    """None while a job is at work, which changes names all the time and settles them at once."""
    documents = broken_off(library, collection)
    lock = library.lock(collection_lock(collection)) if documents else None
    if lock is None:
        return []
    lock.release()
    still = set(broken_off(library, collection))  # a person may just have removed them, without a job
    return [document for document in documents if document in still]


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
    if problems and library.ledger.documents.get(row.collection, row.document) != row:
        return []  # a job or a person changed it while we looked
    name = row.names[0] if row.names else row.document
    return [Problem(code, row.collection, row.document, name, detail) for code, detail in problems]


def _is_unit(vector: Vectors) -> bool:
    """What was stored had length 1: zeros, garbage and most flipped bits give another one."""
    return bool(abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) < LENGTH_TOLERANCE)


def name_of(library: Library, collection: str, document: str) -> str:
    """The document's names, or its id where it has none."""
    return ", ".join(library.ledger.names.of(collection, document)) or document
