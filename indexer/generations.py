"""Switching a collection from one generation to another, forth and back, and dropping the one that is not needed.

A switch is written down before it is made, so that one which a kill interrupted is finished by whoever comes next
(`finish_switch`). Questions that are under way are answered by the generation that they began with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from indexer.documents import check_may_change, forget, restore_documents, wrong_documents
from indexer.worker import collection_lock, reembedding_lock
from labse_search.errors import CollectionDamaged, CollectionMissing, UserError
from labse_search.library import Library
from labse_search.library.generations import Generation
from labse_search.map.file import forget_map
from labse_search.naming import generation_name
from labse_search.store import Store


def switch(library: Library, store: Store, collection: str, number: int) -> str | None:
    """Let this generation answer from now on. Returns a job that brings in what was added since it answered last, None
    if it has everything. UserError while a job is at work, or if it is not whole."""
    with _alone(library, store, collection):
        finish_switch(library, store, collection)
        generations = library.ledger.generations
        wanted = generations.get(collection, number)
        if wanted.state == "serving":
            return None
        missing = generations.missing(collection, number)
        if wanted.state != "ready" or (missing and wanted.served is None):
            raise UserError(
                f"Generation {number} of {collection!r} is not whole yet: {len(missing):,} documents are missing. Run: "
                f"python -m labse_search.library reembed --model {wanted.model}"
            )
        wrong = wrong_documents(library, store, wanted)
        if wrong:
            raise UserError(
                f"Generation {number} of {collection!r} does not hold what was stored in it: {len(wrong):,} documents "
                "differ. Run: python -m labse_search.library check --repair"
            )
        generations.set_state(collection, number, "switching")
        finish_switch(library, store, collection)
        return restore_documents(library, collection, wanted.model, missing) if missing else None


def finish_switch(library: Library, store: Store, collection: str) -> None:
    """Make a switch that was begun, and let the store's name mean what the ledger says. Nothing happens otherwise, nor
    where the store has lost what the name should mean: the check tells, and the repair builds it again."""
    library.ledger.collections.check_store(collection, store.location)
    generations = library.ledger.generations
    known = generations.all(collection)
    for one in known:
        if one.state == "switching":
            store.serve(collection, one.number)
            generations.swap(collection, one.number)
            return
        if one.state == "dropping":
            _drop(library, store, one)
    serving = generations.serving(collection)
    if [one.number for one in known] not in ([], [1]) and serving in store.generations(collection):
        try:
            answers = store.info(collection).generation
        except (CollectionDamaged, CollectionMissing):
            answers = None
        if answers != serving:
            store.serve(collection, serving)


def enter_generations(library: Library, store: Store, collection: str) -> None:
    """Let the ledger know of the store's generations what they are: their numbers, their models, and which of them
    answers. Of the others nothing is known to be whole: `reembed` by their models goes over them."""
    numbers = store.generations(collection)
    try:
        info = store.info(collection)
    except CollectionMissing:  # what the name means is gone, the collection is not
        store.serve(collection, numbers[-1])
        info = store.info(collection)
    specs = {}
    for number in numbers:
        name = generation_name(collection, number)
        try:
            specs[number] = store.info(name).spec
        except CollectionDamaged:  # not the one that answers: its number must be free for the next one
            store.put_aside(name)
    with library.ledger.transaction():
        library.ledger.collections.put(
            collection, model=info.spec.model, fingerprint=info.spec.fingerprint, store=store.location
        )
        library.ledger.generations.enter(collection, specs, serving=info.generation)


def agree_on_generations(library: Library, store: Store, collection: str) -> None:
    """Let the ledger and the store mean the same generation: the ledger's where the store has it, else the store's."""
    finish_switch(library, store, collection)
    info, known = store.info(collection), library.ledger.generations.all(collection)
    answers = next((one.number, one.fingerprint) for one in known if one.state == "serving")
    unknown = {*store.generations(collection)} - {one.number for one in known}
    if unknown or (info.generation, info.spec.fingerprint) != answers:
        enter_generations(library, store, collection)


def drop(library: Library, store: Store, collection: str, number: int) -> Generation:
    """Free the room of a generation that does not answer. UserError for the one that does."""
    with _alone(library, store, collection):
        finish_switch(library, store, collection)
        one = library.ledger.generations.get(collection, number)
        if one.state == "serving":
            raise UserError(f"Generation {number} of {collection!r} is the one that answers. Switch to another first.")
        if one.job:
            library.ask(one.job, "cancel")
        serving = library.ledger.generations.serving(collection)
        if serving not in store.generations(collection):
            raise UserError(
                f"The store has lost generation {serving} of {collection!r}, which answers. First build it again: "
                "python -m labse_search.library check --repair"
            )
        library.ledger.generations.set_state(collection, number, "dropping")
        _drop(library, store, one)
        return one


def _drop(library: Library, store: Store, one: Generation) -> None:
    store.drop(generation_name(one.collection, one.number))
    _forget_measured(library, one)
    library.ledger.generations.drop(one.collection, one.number)


def delete_collection(library: Library, store: Store, collection: str) -> int:
    """Erase a collection: all generations, all documents, and the originals that no other collection has. How many
    documents. Killed in the middle, the next call goes on."""
    states = ("stored", "storing", "removing", "removed")
    with _alone(library, store, collection):
        with suppress(CollectionMissing, CollectionDamaged):  # of these nothing is left to lose
            check_may_change(library, store, collection)
        documents = [row.document for row in library.ledger.documents.all(collection, states)]
        generations = library.ledger.generations.all(collection)
        with library.ledger.transaction():
            for job in library.ledger.jobs.unfinished():
                if job.collection == collection:
                    library.ask(job.id, "cancel")
            for document in documents:
                library.ledger.documents.set_state(collection, document, "removing")
        store.drop(collection)
        for document in documents:
            forget(library, collection, document)
        library.ledger.collections.drop(collection)
        forget_map(library.home, collection)
        for one in generations:
            _forget_measured(library, one)
    return len(documents)


def _forget_measured(library: Library, one: Generation) -> None:
    from labse_search.search.unanswered import forget_measured  # here: it brings the whole search along

    forget_measured(library.home, generation_name(one.collection, one.number))


@contextmanager
def _alone(library: Library, store: Store, collection: str) -> Iterator[None]:
    """While no job of the collection is at work. UserError if one is, or if another store has the collection."""
    library.ledger.collections.check_store(collection, store.location)
    with ExitStack() as locks:
        for name in (collection_lock(collection), reembedding_lock(collection)):
            lock = library.lock(name)
            if lock is None:
                raise UserError(f"A job of {collection!r} is at work. Do this when it is done, or pause it first.")
            locks.callback(lock.release)
        yield
