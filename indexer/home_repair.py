"""Looking at a whole home and mending it, as `python -m labse_search.library check` does: ledger, jobs, collections."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.check import Problem, check, check_home, unknown_originals
from indexer.generations import finish_switch
from indexer.repair import discard_unknown, rebuild_ledger, recovered, repair, unknown_passages
from indexer.worker import do_all, waiting
from labse_search.encoder import default_model
from labse_search.errors import LedgerDamaged, UserError
from labse_search.library import Library, document_id
from labse_search.settings import Settings
from labse_search.store import Store, open_store

LEDGER_LOST = ("ledger_damaged", "ledger_empty")
# What is left of these after a repair says that the engine's files are broken deeper than it seemed.
_DEEPER = ("segments_missing", "segments_changed", "vectors_damaged", "collection_damaged")

Log = Callable[[str], None]


def look(settings: Settings, *, full: bool) -> list[Problem]:
    """All that is wrong. StoreUnavailable if the store does not answer at all."""
    try:
        library = Library(settings.home)
    except LedgerDamaged as error:
        return [Problem("ledger_damaged", "", detail=str(error))]
    with closing(library), closing(_store(settings)) as store:
        problems = check_home(library, store)
        if any(problem.code in LEDGER_LOST for problem in problems):
            return problems
        for collection in library.ledger.collections.all():
            with suppress(UserError):  # which the check reports
                finish_switch(library, store, collection)
            problems += check(library, store, collection, full=full)
        return problems


def mend(settings: Settings, problems: Sequence[Problem], *, full: bool, log: Log) -> None:
    """Mend what can be mended, and do the jobs that this takes; `look` again to see what is left."""
    ledger_lost = any(problem.code in LEDGER_LOST for problem in problems)
    library = put_ledger_aside(settings.home, log) if ledger_lost else Library(settings.home)
    with closing(library), closing(_store(settings)) as store:
        mending = _Mending(library, store, settings, full, log)
        if ledger_lost:
            mending.do(rebuild_ledger(library, store, log=log))
        mending.do([job.id for job in waiting(library)])
        mending.add_unknown_originals()
        for collection in library.ledger.collections.all():
            mending.collection(collection)
        if library.ledger.replacements():
            library.ledger.forget_replacements()


def discard(settings: Settings, *, agreed: Callable[[str], bool], log: Log) -> int:
    """Delete passages that the ledger does not know, of each collection for which `agreed` says so to a sentence with
    the counts. How many documents."""
    discarded = 0
    with closing(Library(settings.home)) as library, closing(_store(settings)) as store:
        for collection in library.ledger.collections.all():
            found = check(library, store, collection)
            documents, passages = unknown_passages(store, collection, found)
            if not documents:
                continue
            question = (
                f"{passages:,} passages of {documents:,} documents in {collection!r} at {store.location} are not known "
                "to this home. Delete them for good?"
            )
            if agreed(question):
                discarded += discard_unknown(store, collection, found)
                log(f"{collection}: {passages:,} passages of {documents:,} documents deleted")
    return discarded


@dataclass(frozen=True)
class _Mending:
    library: Library
    store: Store
    settings: Settings
    full: bool
    log: Log

    def collection(self, collection: str) -> None:
        found = check(self.library, self.store, collection, full=self.full)
        if any(problem.code == "generation_other" for problem in found):
            self.do(repair(self.library, self.store, collection, found, log=self.log))
            found = check(self.library, self.store, collection, full=self.full)
        if not found:
            return
        self.do(repair(self.library, self.store, collection, found, log=self.log))
        still = check(self.library, self.store, collection, full=self.full)
        if any(problem.code in _DEEPER for problem in still) and self._can_be_rebuilt(collection):
            damaged = [Problem("collection_damaged", collection)]
            self.do(repair(self.library, self.store, collection, damaged, log=self.log))

    def add_unknown_originals(self) -> None:
        sources = recovered(self.library, unknown_originals(self.library), self.log)
        if not sources:
            return
        known = self.library.ledger.collections.all()
        collection = self.settings.collection if self.settings.collection in known else next(iter(known), None)
        if collection is None:  # ledger and store are lost: nobody knows the names of collections, nor their models
            collection, model = self.settings.collection, self.settings.model or default_model()
        else:
            model = known[collection][0]
        self.do([self.library.add_index_job(collection, model, sources)])

    def do(self, jobs: Sequence[str]) -> None:
        do_all(self.library, self.settings, jobs, log=self.log)

    def _can_be_rebuilt(self, collection: str) -> bool:
        """Whether moving the collection aside loses nothing: it is the embedded store's, and every original is whole.
        A server's is its operator's to judge."""
        if self.settings.store:
            return False
        rows = self.library.documents(collection)
        originals = [self.library.originals.path(row.document) for row in rows]
        return all(path.exists() and document_id(path) == path.name for path in originals)


def put_ledger_aside(home: Path, log: Log) -> Library:
    """A new, empty ledger; the old one lies beside it under another name."""
    aside = home / f"ledger.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", "-wal", "-shm"):
        path = home / f"ledger.sqlite3{suffix}"
        if path.exists():
            path.rename(f"{aside}{suffix}")
    log(f"the old ledger now lies in {aside}; making a new one from the store and the originals")
    return Library(home)


def _store(settings: Settings) -> Store:
    return open_store(settings.store, home=settings.home, api_key=settings.api_key)
