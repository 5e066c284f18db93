"""Putting documents into a collection and taking them out, so that a crash at any point can be mended.

The order is what makes it safe: original kept → ledger says "storing" → segments in the store → ledger says "stored"
and the name points here → the document that had the name before goes. Ids are computed from content, so doing any
step twice changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from indexer.segment import VERSION as SEGMENTATION
from indexer.segment import Split
from indexer.sources import folders
from labse_search.errors import UserError
from labse_search.library import DocumentRow, Library, Source, segments_digest
from labse_search.records import Extraction, Filter, StoredSegment
from labse_search.store import Store

# Documents that were cut into segments another way are read again.
VERSION = int(SEGMENTATION)


def document_row(
    collection: str, document: str, name: str, extraction: Extraction, split: Split, *, size: int
) -> DocumentRow:
    """The ledger's row for a document that is about to be stored."""
    languages = Counter(segment.language for segment in split.segments)
    return DocumentRow(
        collection=collection,
        document=document,
        names=(name,),
        kind=kind_of(name, extraction),
        title=(extraction.title or name.rpartition("/")[2]).encode("utf-8", "replace").decode(),
        bytes=size,
        characters=len(extraction.text),
        embedded=sum(segment.end - segment.start for segment in split.segments),
        skipped=split.skipped,
        segments=len(split.segments),
        languages=dict(languages.most_common()),
        encoding=extraction.encoding or "",
        notes=extraction.notes,
        digest=segments_digest(split.segments),
        state="storing",
        added=time.time(),
    )


def kind_of(name: str, extraction: Extraction) -> str:
    """The lower-case extension, or what the reader found it to be."""
    extension = name.rpartition("/")[2].rpartition(".")[2].lower() if "." in name.rpartition("/")[2] else ""
    return extension if 0 < len(extension) <= 8 else extraction.kind


def stored_segments(row: DocumentRow, names: Sequence[str], split: Split) -> list[StoredSegment]:
    return [
        StoredSegment(
            document=row.document,
            names=tuple(names),
            folders=folders(names),
            kind=row.kind,
            added=row.added,
            segment=segment,
        )
        for segment in split.segments
    ]


def point_name(
    library: Library, collection: str, name: str, document: str, *, path: str = "", size: int = 0, mtime_ns: int = 0
) -> str | None:
    """Let `name` mean `document`, in the ledger alone. Returns the document that lost the name, if another one did:
    `settle` it afterwards; it is noted as unsettled until then."""
    with library.ledger.transaction():
        before = library.ledger.name(collection, name)
        library.ledger.put_name(collection, name, document, path=path, size=size, mtime_ns=mtime_ns)
        if before is None or before[0] == document:
            return None
        library.ledger.set_unsettled(collection, [before[0]])
    return before[0]


def settle(library: Library, store: Store, collection: str, document: str) -> None:
    """Let the store know which names a document has; erase the document if it has none left. Note it as unsettled in
    the transaction that changes the names, so that a kill before this is mended by `recover`."""
    with library.ledger.transaction():  # nobody gives it a name between the look and the sentence
        names = library.ledger.names(collection, document)
        if not names:
            if any(document == known for known, _ in library.ledger.storing(collection)):
                return  # it is on its way in again: its job gives it a name, or takes it out
            library.ledger.set_state(collection, document, "removing")
    if names:
        store.rename(collection, document, names, folders(names))
        library.ledger.set_unsettled(collection, [document], settled=True)
        return
    store.delete(collection, Filter(documents=(document,)))
    forget(library, collection, document)


def remove_name(library: Library, store: Store, collection: str, name: str) -> None:
    """Take one name away; the document goes with its last name."""
    with library.ledger.transaction():
        known = library.ledger.name(collection, name)
        if known is None:
            return
        library.ledger.drop_name(collection, name)
        library.ledger.set_unsettled(collection, [known[0]])
    settle(library, store, collection, known[0])


def remove_documents(library: Library, store: Store, collection: str, documents: Sequence[str]) -> int:
    """Take documents out of the collection under all their names. Their originals and names stay in the library, so
    that `undo_remove` can put them back. How many were there."""
    there = [document for document in documents if library.ledger.document(collection, document)]
    with library.ledger.transaction():
        for document in there:
            library.ledger.set_state(collection, document, "removing")
    if there:
        store.delete(collection, Filter(documents=tuple(there)))
    with library.ledger.transaction():
        for document in there:
            library.ledger.set_state(collection, document, "removed")
    return len(there)


def forget_removed(library: Library, collection: str, *, older_than_seconds: float = 0.0) -> int:
    """Erase removed documents for good, originals too, unless another collection holds them. How many."""
    erased = 0
    for row in library.removed_documents(collection):
        if time.time() - (row.removed or 0.0) >= older_than_seconds:
            forget(library, collection, row.document)
            erased += 1
    return erased


def restore_documents(library: Library, collection: str, model: str, documents: Sequence[str]) -> str:
    """A job that puts removed (or damaged) documents back from their originals. Returns its id; UserError if an
    original is no longer there."""
    sources = []
    for document in documents:
        original = library.originals.path(document)
        if not original.exists():
            raise UserError("The original of this document is no longer kept. Add the file again.")
        size = original.stat().st_size
        sources += [Source(str(original), name, size) for name in library.ledger.names(collection, document)]
    return library.add_index_job(collection, model, sources)


def recover(library: Library, store: Store, collection: str) -> None:
    """Finish what a killed process left half done: names are told to the store, removals are completed, documents of
    jobs that will not go on are taken out again. A document of a job that goes on is left for it: what is stored need
    not be encoded again."""
    for document in library.ledger.unsettled(collection):
        settle(library, store, collection, document)
    for row in library.ledger.documents(collection, ("removing", "stored")):
        if not row.names:  # its name went to another document
            settle(library, store, collection, row.document)
        elif row.state == "removing":
            remove_documents(library, store, collection, [row.document])
    for document in unfinished(library, collection):
        if library.ledger.names(collection, document):  # it was here before: a repair or a re-reading broke off
            remove_documents(library, store, collection, [document])
        else:
            store.delete(collection, Filter(documents=(document,)))
            forget(library, collection, document)


def unfinished(library: Library, collection: str) -> list[str]:
    """Documents that are half way in, by a job that will not go on by itself."""
    going_on = {job.id for job in library.ledger.unfinished_jobs()}
    return [document for document, job in library.ledger.storing(collection) if job not in going_on]


def forget(library: Library, collection: str, document: str) -> None:
    """Erase the document's original, unless another collection holds it, and then its row: killed in between, the row
    says what is left to be done."""
    if not library.ledger.kept_anywhere(document, but=collection):
        library.originals.forget(document)
    library.ledger.forget_document(collection, document)
