"""Putting documents into a collection and taking them out, so that a crash at any point can be mended.

The order is what makes it safe: original kept → ledger says "storing" → segments in the store → ledger says "stored"
and the name points here → the document that had the name before goes. Ids are computed from content, so doing any
step twice changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from indexer.job import Inspection
from indexer.segment import VERSION as SEGMENTATION
from indexer.segment import Split
from indexer.sources import folders
from labse_search.errors import CollectionMissing, UserError
from labse_search.library import DocumentRow, Library, Source, segments_digest
from labse_search.library.generations import Generation
from labse_search.library.records import FileStamp
from labse_search.map.file import forget_map
from labse_search.naming import generation_name
from labse_search.records import FACTS, Extraction, Filter, Note, StoredSegment
from labse_search.store import Store

# Documents that were cut into segments another way are read again.
VERSION = int(SEGMENTATION)
NOBODY = "0" * 32  # no document: nothing has a hash of zeros


def document_row(collection: str, file: Inspection, extraction: Extraction, split: Split) -> DocumentRow:
    """The ledger's row for a document that is about to be stored."""
    languages = Counter(segment.language for segment in split.segments)
    return DocumentRow(
        collection=collection,
        document=file.document,
        names=(file.name,),
        kind=kind_of(file.name, extraction),
        title=(extraction.title or file.name.rpartition("/")[2]).encode("utf-8", "replace").decode(),
        bytes=file.size,
        characters=len(extraction.text),
        embedded=sum(segment.end - segment.start for segment in split.segments),
        skipped=split.skipped,
        segments=len(split.segments),
        languages=dict(languages.most_common()),
        encoding=extraction.encoding or "",
        notes=(*extraction.notes, *_unreadable(split), *_facts(extraction)),
        digest=segments_digest(split.segments),
        state="storing",
        added=time.time(),
    )


def _unreadable(split: Split) -> list[Note]:
    """How many passages the model cannot read, if any."""
    count = sum(segment.unreadable for segment in split.segments)
    return [Note("unreadable", f"{count} of {len(split.segments)} passages")] if count else []


def _facts(extraction: Extraction) -> list[Note]:
    """What there is to know of a file beside what was lost (`records.FACTS`)."""
    holds = ", ".join(f"{count} {what}" for what, count in extraction.holds.items())
    return [Note(code, detail) for code, detail in zip(FACTS, (extraction.reader, holds), strict=True) if detail]


def kind_of(name: str, extraction: Extraction) -> str:
    """The lower-case extension, or what the reader found it to be."""
    extension = name.rpartition("/")[2].rpartition(".")[2].lower() if "." in name.rpartition("/")[2] else ""
    return extension if 0 < len(extension) <= 8 else extraction.kind


def stored_segments(row: DocumentRow, names: Sequence[str], split: Split) -> list[StoredSegment]:
    """The segments of a document as the store takes them."""
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


def point_name(library: Library, collection: str, name: str, document: str, file: FileStamp) -> str | None:
    """Let `name` mean `document`, in the ledger alone. Returns the document that lost the name, if another one did:
    `settle` it afterwards; it is noted as unsettled until then."""
    with library.ledger.transaction():
        before = library.ledger.names.get(collection, name)
        library.ledger.names.put(collection, name, document, file)
        if before is None or before[0] == document:
            return None
        library.ledger.names.set_unsettled(collection, [before[0]])
    return before[0]


def settle(library: Library, store: Store, collection: str, document: str) -> None:
    """Let the store know which names a document has; erase the document if it has none left. Note it as unsettled in
    the transaction that changes the names, so that a kill before this is mended by `recover`."""
    with library.ledger.transaction():  # nobody gives it a name between the look and the sentence
        names = library.ledger.names.of(collection, document)
        if not names:
            if library.ledger.documents.is_storing(collection, document):
                return  # it is on its way in again: its job gives it a name, or takes it out
            library.ledger.documents.set_state(collection, document, "removing")
    if names:
        for name in all_generations(library, store, collection):
            store.rename(name, document, names, folders(names))
        library.ledger.names.set_unsettled(collection, [document], settled=True)
        return
    delete_everywhere(library, store, collection, [document])
    forget(library, collection, document)


def all_generations(library: Library, store: Store, collection: str) -> list[str]:
    """The names of the collection's generations in the store, the one that answers first."""
    library.ledger.collections.check_store(collection, store.location)
    others = library.ledger.generations.others(collection)
    there = {*store.generations(collection)} if others else set()
    return [collection, *(generation_name(collection, number) for number in others if number in there)]


def delete_everywhere(library: Library, store: Store, collection: str, documents: Sequence[str]) -> None:
    """Take documents out of every generation: none may bring them back when it answers again."""
    for name in all_generations(library, store, collection):
        store.delete(name, Filter(documents=tuple(documents)))


def unknown_documents(library: Library, store: Store, collection: str) -> dict[str, int]:
    """Documents that the store holds and the ledger does not know in any state, with how many passages of each."""
    states = ("stored", "storing", "removing", "removed")
    known = {row.document for row in library.ledger.documents.all(collection, states)}
    return {document: count for document, count in store.facet(collection, "document").items() if document not in known}


def wrong_documents(library: Library, store: Store, generation: Generation) -> list[str]:
    """Documents of which a generation that does not serve holds another number of segments than it should."""
    expected = library.ledger.generations.segments(generation.collection, generation.number)
    try:
        found = store.facet(generation_name(generation.collection, generation.number), "document")
    except CollectionMissing:
        found = {}
    return [document for document in {*expected, *found} if expected.get(document, 0) != found.get(document, 0)]


def check_may_change(library: Library, store: Store, collection: str) -> None:
    """CollectionElsewhere, CollectionForeign, CollectionMissing or StoreUnavailable where the store is another one or
    would refuse to delete: asked before the ledger says that something goes, which would stay half gone."""
    library.ledger.collections.check_store(collection, store.location)
    store.delete(collection, Filter(documents=(NOBODY,)))


def remove_name(library: Library, store: Store, collection: str, name: str) -> None:
    """Take one name away; the document goes with its last name."""
    check_may_change(library, store, collection)
    with library.ledger.transaction():
        known = library.ledger.names.get(collection, name)
        if known is None:
            return
        library.ledger.names.drop(collection, name)
        library.ledger.names.set_unsettled(collection, [known[0]])
    settle(library, store, collection, known[0])


def remove_gone(library: Library, store: Store, collection: str, names: Sequence[str]) -> None:
    """Take away names whose files are gone. A document that loses all its names so can be put back under them, and is
    read anew when its file comes back."""
    whole = set[str]()
    for name in names:
        known = library.ledger.names.get(collection, name)
        if known is None or known[0] in whole:
            continue
        if set(library.ledger.names.of(collection, known[0])) <= set(names):
            whole.add(known[0])
        else:
            remove_name(library, store, collection, name)
    remove_documents(library, store, collection, sorted(whole), files_gone=True)


def remove_documents(
    library: Library, store: Store, collection: str, documents: Sequence[str], *, files_gone: bool = False
) -> int:
    """Take documents out of the collection under all their names, and out of every job that would bring them back.
    Their originals and names stay in the library, so that `restore_documents` can put them back. `files_gone`: the
    names no longer stand for files, so that one which comes back is new. How many were there."""
    if documents:
        check_may_change(library, store, collection)
    with library.ledger.transaction():
        there = [document for document in documents if library.ledger.documents.get(collection, document)]
        for document in there:
            library.ledger.documents.set_state(collection, document, "removing")
            library.ledger.jobs.strike(collection, document)
            for name in library.ledger.names.of(collection, document) if files_gone else ():
                library.ledger.names.put(collection, name, document)
        library.ledger.generations.forget_documents(collection, there)
    if there:
        delete_everywhere(library, store, collection, there)
    with library.ledger.transaction():
        for document in there:
            library.ledger.documents.set_state(collection, document, "removed")
    return len(there)


def forget_removed(library: Library, collection: str, *, older_than_seconds: float = 0.0) -> int:
    """Erase removed documents for good, originals too, unless another collection holds them. How many."""
    erased = 0
    for row in library.removed_documents(collection):
        if time.time() - (row.removed or 0.0) >= older_than_seconds:
            forget(library, collection, row.document)
            erased += 1
    if erased:
        forget_map(library.home, collection)  # its topics may have words of theirs
    return erased


def restore_documents(library: Library, collection: str, model: str, documents: Sequence[str]) -> str:
    """A job that puts removed (or damaged) documents back from their originals. Returns its id; UserError if an
    original is no longer there."""
    sources = []
    for document in documents:
        if not library.originals.path(document).exists():
            raise UserError("The original of this document is no longer kept. Add the file again.")
        sources += sources_of(library, document, library.ledger.names.of(collection, document))
    return library.add_index_job(collection, model, sources)


def sources_of(library: Library, document: str, names: Sequence[str]) -> list[Source]:
    """A kept original under these names, as files of a job."""
    original = library.originals.path(document)
    return [Source(str(original), name, original.stat().st_size) for name in names]


def recover(library: Library, store: Store, collection: str) -> None:
    """Finish what a killed process left half done: names are told to the store, removals are completed, documents of
    jobs that will not go on are taken out again. A document of a job that goes on is left for it: what is stored need
    not be encoded again."""
    library.ledger.collections.check_store(collection, store.location)
    for document in library.ledger.names.unsettled(collection):
        settle(library, store, collection, document)
    for row in library.ledger.documents.all(collection, ("removing", "stored")):
        if not row.names:  # its name went to another document
            settle(library, store, collection, row.document)
        elif row.state == "removing":
            remove_documents(library, store, collection, [row.document])
    for document in unfinished(library, collection):
        take_back(library, store, collection, document)


def broken_off(library: Library, collection: str) -> list[str]:
    """Documents whose removal, or whose change of names, the store does not know all of yet, oldest first: `recover`
    finishes it."""
    unsettled = set(library.ledger.names.unsettled(collection))
    rows = library.ledger.documents.all(collection, ("removing", "stored"))
    return [row.document for row in rows if row.state == "removing" or not row.names or row.document in unsettled]


def take_back(library: Library, store: Store, collection: str, document: str) -> None:
    """What becomes of a document whose job broke off for good: one that was there before stays, to be read again; one
    that had been removed stays removed; one that never was there goes."""
    row = library.ledger.documents.get(collection, document)
    if row is None:
        return
    if row.removed is not None:
        remove_documents(library, store, collection, [document])
    elif row.names:
        with library.ledger.transaction():
            library.ledger.documents.set_state(collection, document, "stored")
            library.ledger.documents.read_again(collection, [document])
    else:
        delete_everywhere(library, store, collection, [document])
        forget(library, collection, document)


def unfinished(library: Library, collection: str) -> list[str]:
    """Documents that are half way in, by a job that will not go on by itself."""
    going_on = {job.id for job in library.ledger.jobs.unfinished()}
    return [document for document, job in library.ledger.documents.storing(collection) if job not in going_on]


def forget(library: Library, collection: str, document: str) -> None:
    """Erase the document's original, unless another collection holds it, and then its row: killed in between, the row
    says what is left to be done."""
    if not library.ledger.documents.kept_anywhere(document, but=collection):
        library.originals.forget(document)
    library.ledger.documents.forget(collection, document)
