"""Collections under another name, put together, or brought in from a backup: nothing is read or encoded again.

Passages go over with their vectors, so both sides need the same model. What a kill leaves half done is harmless: the
source goes last, and doing it again goes on.
"""

from __future__ import annotations

import logging
import shlex
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from indexer.archive import Tell, Warn, restore, untold
from indexer.documents import check_may_change, recover, remove_documents, settle, unknown_documents
from indexer.generations import delete_collection, finish_switch
from indexer.home_files import bring_made, bring_models
from indexer.sources import folders, numbered
from indexer.worker import collection_lock, reembedding_lock
from labse_search.align.kept import Alignments
from labse_search.errors import CollectionMissing, UserError
from labse_search.home import at_home
from labse_search.library import DocumentRow, Library
from labse_search.library.findings import Findings
from labse_search.library.records import FileStamp
from labse_search.library.searches import SavedSearches
from labse_search.naming import collection_name
from labse_search.records import Filter
from labse_search.store import Store, open_store
from labse_search.teach import Teaching
from labse_search.teach.runs import move_runs

log = logging.getLogger("labse_search.jobs")

DOCUMENTS = 64  # brought over at a time, each group with its transaction
SEGMENTS = 1000  # copied at a time
SCRATCH = "restoring-"  # begins the name of the folder in the home where a backup is unpacked
RESTORED = 0.6  # of the work of bringing a backup in, once it is restored beside: an untested guess
Item = TypeVar("Item")
Names = dict[str, FileStamp]  # name → the file that it was read from


@dataclass(frozen=True)
class Place:
    """A collection, and where it is."""

    library: Library
    store: Store
    collection: str


def rename(library: Library, store: Store, collection: str, name: str) -> str:
    """Give a collection another name, and return that. UserError if another one has it."""
    name = collection_name(name)
    if name in library.ledger.collections.all():
        raise UserError(f"There is a collection {name!r} already. Choose another name, or merge the two.")
    merge(library, store, collection, name)
    return name


def merge(library: Library, store: Store, collection: str, into: str) -> int:
    """Bring all documents of a collection into another one, with its watched folders and what people kept and taught in
    it, and erase the first. How many documents came. UserError while a job of either is at work, or if they are of
    different models."""
    if collection == into:
        raise UserError("A collection cannot be merged with itself.")
    source, target = Place(library, store, collection), Place(library, store, into)
    with _alone(source, target):
        _check(source)
        if into in library.ledger.collections.all():
            check_may_change(library, store, into)
        count = _bring(source, target)
        for other, folder in library.ledger.watches.all():
            if other == collection:
                library.ledger.watches.add(into, folder)
        with closing(Teaching(library.home)) as teaching:
            teaching.move(collection, into)
        Findings(library.home).move(collection, into)
        SavedSearches(library.home).move(collection, into)
        Alignments(library.home).move(collection, into)
        move_runs(library.home, collection, into)
    delete_collection(library, store, collection)
    return count


def bring_backup(
    file: Path, library: Library, store: Store, tell: Tell = untold, warn: Warn = log.warning
) -> dict[str, int]:
    """Bring every collection of a backup in, each under its name, with its models and what people kept and taught;
    of its generations the one that answered, and the log names the others: their models come along, so each can be
    built again, and nobody pays its size who only wants the documents. A collection of the same name is added to if it
    has the same model; else the name is numbered. How many documents of which. `warn`: as `restore`'s."""
    with tempfile.TemporaryDirectory(dir=library.home, prefix=SCRATCH) as scratch:
        home = Path(scratch) / "home"
        restore(file, home, models=library.home, tell=lambda share, current: tell(RESTORED * share, current), warn=warn)
        bring_models(home, library.home)
        other = Library(home)
        try:
            with closing(open_store("", home=home)) as unpacked:
                try:
                    return _bring_all(other, unpacked, library, store, tell)
                finally:
                    _stop(unpacked)
        finally:
            other.close()


def _bring_all(other: Library, unpacked: Store, library: Library, store: Store, tell: Tell) -> dict[str, int]:
    names = [*other.ledger.collections.all()]
    total = max(1, sum(len(other.ledger.documents.all(name, ("stored", "removed"))) for name in names))
    brought: dict[str, int] = {}
    done = 0
    for name in names:
        source = Place(other, unpacked, name)
        target = Place(library, store, _free(source, library))

        def came(documents: int, target: Place = target) -> None:
            nonlocal done
            done += documents
            tell(RESTORED + (1 - RESTORED) * done / total, target.collection)

        with _alone(target):
            finish_switch(other, unpacked, name)
            _log_left_behind(source, target)
            brought[target.collection] = _bring(source, target, came)
            bring_made(other.home, library.home, name, target.collection)
    return brought


def _log_left_behind(source: Place, target: Place) -> None:
    for one in source.library.ledger.generations.all(source.collection):
        if one.state == "ready":
            model = at_home(target.library.home, one.model)
            log.warning(
                "%s: of the backup's generations the one that answered is brought in, not number %d by %s. To build "
                "that again: python -m labse_search.library reembed --collection %s --model %s",
                target.collection, one.number, model, shlex.quote(target.collection), shlex.quote(model),
            )  # fmt: skip


def _stop(store: Store) -> None:
    """End the process of an embedded store whose folder is about to go."""
    stop = getattr(store, "stop", None)
    if stop is not None:
        stop()


def _free(source: Place, library: Library) -> str:
    known, wanted = library.ledger.collections.all(), source.collection
    fingerprint = source.store.info(source.collection).spec.fingerprint
    number = 1
    while wanted in known and known[wanted][1] != fingerprint:
        number += 1
        wanted = f"{source.collection} ({number})"
    return wanted


def _bring(source: Place, target: Place, came: Callable[[int], None] = lambda documents: None) -> int:
    """Everything that the source has and the target lacks. How many documents. `came`: hears of each group of them."""
    recover(source.library, source.store, source.collection)
    spec = source.store.info(source.collection).spec
    spec = replace(spec, model=at_home(target.library.home, spec.model))  # where it stays, not where it was unpacked
    known = target.library.ledger.collections.all().get(target.collection)
    if known is not None and known[1] != spec.fingerprint:
        raise UserError(
            f"{source.collection!r} and {target.collection!r} are of different models ({spec.model} and {known[0]}). "
            "Embed one of them again by the other's model first."
        )
    if known is None:
        target.store.create(target.collection, spec)
        target.library.ledger.collections.put(
            target.collection, model=spec.model, fingerprint=spec.fingerprint, store=target.store.location
        )
    recover(target.library, target.store, target.collection)
    rows = source.library.ledger.documents.all(source.collection, ("stored", "removed"))
    brought: list[str] = []
    for part in _parts(rows, DOCUMENTS):
        brought += _bring_part(source, target, part)
        came(len(part))
    target.store.optimize(target.collection)
    remove_documents(target.library, target.store, target.collection, _taken_out(source, brought))
    return sum(row.state == "stored" for row in rows)


def _check(source: Place) -> None:
    ledger = source.library.ledger
    if source.collection not in ledger.collections.all():
        raise CollectionMissing(source.collection)
    finish_switch(source.library, source.store, source.collection)
    if len(ledger.generations.all(source.collection)) > 1:
        raise UserError(
            f"{source.collection!r} has further models that do not answer. Free their room first: they would be lost."
        )
    if any(job.collection == source.collection for job in ledger.jobs.unfinished()):
        raise UserError(f"{source.collection!r} has jobs that wait. Let them finish, or cancel them, first.")
    check_may_change(source.library, source.store, source.collection)  # it goes at the end
    unknown = unknown_documents(source.library, source.store, source.collection)
    if unknown:
        raise UserError(
            f"{source.collection!r} holds {sum(unknown.values()):,} passages of {len(unknown):,} documents that this "
            "home does not know: they would be lost. Add those documents again whose originals are kept: python -m "
            "labse_search.library check --repair. Or delete their passages: check --discard-unknown"
        )


def _bring_part(source: Place, target: Place, rows: Sequence[DocumentRow]) -> list[str]:
    """In the order that makes it safe: originals, the ledger says "storing", passages, and one transaction that says
    "stored" and gives the names. Documents that are stored in the target now and were not before."""
    ledger = target.library.ledger
    names = _free_names(source, target, rows)
    there = {row.document for row in rows if ledger.documents.version(target.collection, row.document) >= 0}
    fresh = [row for row in rows if row.document not in there]
    for row in fresh:
        _keep(source.library, target.library, row.document)
    with ledger.transaction():
        for row in fresh:
            version = source.library.ledger.documents.version(source.collection, row.document)
            state: Literal["storing", "removed"] = "storing" if row.state == "stored" else "removed"
            ledger.documents.put(replace(row, collection=target.collection, state=state), version=max(0, version))
    brought = [row.document for row in fresh if row.state == "stored"]
    _copy_segments(source, target, brought, names)
    with ledger.transaction():
        taken_out = _taken_out(source, brought)
        for row in rows:
            if row.document in there and row.state == "removed":
                continue
            _give_names(target, row, names[row.document])
            if row.document in there:
                ledger.names.set_unsettled(target.collection, [row.document])
            elif row.state == "stored":
                came = "removing" if row.document in taken_out else "stored"
                ledger.documents.set_state(target.collection, row.document, came)
    remove_documents(target.library, target.store, target.collection, taken_out)
    for document in {row.document for row in rows} & set(ledger.names.unsettled(target.collection)):
        settle(target.library, target.store, target.collection, document)
    return [document for document in brought if document not in taken_out]


def _taken_out(source: Place, documents: Sequence[str]) -> list[str]:
    """Of documents that the source had those that a person has removed from it while they were copied: they stay out,
    and can be put back."""
    stored = {row.document for row in source.library.ledger.documents.all(source.collection)}
    return [document for document in documents if document not in stored]


def _give_names(target: Place, row: DocumentRow, names: Names) -> None:
    """Inside a transaction. A path of the disk stands behind one name only, that of the document which was read from it
    last: of two that stood for one file, the next change would reach one and leave the other as it was."""
    known = target.library.ledger.names
    for name, file in names.items():
        other = known.at_path(target.collection, file.path) if file.path else None
        if other is not None and other[0] != name:
            if other[1] == row.document:  # the same file with the same content, under the name that it has here
                known.set_unsettled(target.collection, [row.document])
                continue
            there = target.library.ledger.documents.get(target.collection, other[1])
            if there is not None and there.added > row.added:
                file = FileStamp()
            else:
                known.put(target.collection, other[0], other[1])
        known.put(target.collection, name, row.document, file)


def _keep(source: Library, target: Library, document: str) -> None:
    """The original and its text; a document whose original is gone or damaged where it comes from, which a restore has
    told, comes without it: it is searched as before."""
    if source.home == target.home:
        return
    target.originals.keep(source.originals.path(document), document)
    try:
        extraction = source.originals.text(document)
    except (OSError, EOFError, zlib.error, KeyError, ValueError):  # gone or damaged too: read again with the original
        return
    target.originals.keep_text(document, extraction)


def _free_names(source: Place, target: Place, rows: Sequence[DocumentRow]) -> dict[str, Names]:
    """Document → its names in the target, numbered where another document has them."""
    taken: dict[str, str] = {}
    found: dict[str, Names] = {}
    for row in rows:
        names = found.setdefault(row.document, {})
        for name in row.names:
            known = source.library.ledger.names.get(source.collection, name)
            if known is not None:
                free = _free_name(target, name, row.document, taken)
                names[free], taken[free] = FileStamp(*known[1:]), row.document
    return found


def _free_name(target: Place, name: str, document: str, taken: Mapping[str, str]) -> str:
    known = target.library.ledger.names.get
    for free in numbered(name):
        found = known(target.collection, free)
        if taken.get(free, document) == document and (found is None or found[0] == document):
            return free
    raise AssertionError("numbers do not end")


def _copy_segments(source: Place, target: Place, documents: Sequence[str], names: Mapping[str, Names]) -> None:
    fingerprint = source.store.info(source.collection).spec.fingerprint
    segments = source.store.segments(source.collection, Filter(documents=tuple(documents))) if documents else ()
    for part in _parts(segments, SEGMENTS):
        found = source.store.vectors(source.collection, [one.point for one in part])
        vectors = np.stack([found[one.point] for one in part])
        named = []
        for one in part:
            shown = tuple(sorted(names[one.document]))
            named.append(replace(one, names=shown, folders=folders(shown)))
        target.store.upsert(target.collection, named, vectors, fingerprint=fingerprint)


@contextmanager
def _alone(*places: Place) -> Iterator[None]:
    """While no job of these collections is at work. UserError if one is."""
    with ExitStack() as locks:
        for place in places:
            for name in (collection_lock(place.collection), reembedding_lock(place.collection)):
                lock = place.library.lock(name)
                if lock is None:
                    raise UserError(f"A job of {place.collection!r} is at work. Do this when it is done, or pause it.")
                locks.callback(lock.release)
        yield


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    following = iter(items)
    while part := list(islice(following, size)):
        yield part
