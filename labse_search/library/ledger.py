"""The ledger: one SQLite file with a table of collections, documents, names and jobs. No text of documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from labse_search.errors import CollectionElsewhere
from labse_search.home import at_home
from labse_search.library.database import BUSY_SECONDS, Database, path_text, path_value
from labse_search.library.documents import Documents
from labse_search.library.generations import Generations
from labse_search.library.jobs import Jobs
from labse_search.library.names import Names
from labse_search.library.watches import Watches
from labse_search.settings import is_url


class Ledger(Database):
    """The file, with `collections`, `documents`, `names`, `jobs`, `generations` and `watches` over its connections."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        super().__init__(path, busy_seconds=busy_seconds)
        self.collections = Collections(self)
        self.documents = Documents(self)
        self.names = Names(self)
        self.jobs = Jobs(self)
        self.generations = Generations(self)
        self.watches = Watches(self)

    def move_models(self, place: Callable[[str], str]) -> None:
        """Let collections, generations and jobs name the models where `place` says that they are."""
        with self.write() as database:
            # A file's name may be no Unicode: such a path is bytes in the table.
            database.create_function("place", 1, lambda path: path_value(place(path_text(path))))
            for table in ("collections", "generations", "jobs"):
                database.execute(f"UPDATE {table} SET model = place(model)")
            database.execute("UPDATE job_files SET path = place(path)")


class Collections:
    """The table of collections: the model and the store that each was made with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: str, *, model: str, fingerprint: str, store: str) -> None:
        """Add or change a collection. `store`: the location of the store that holds it."""
        with self._database.write() as database:
            database.execute(
                "INSERT INTO collections (collection, model, fingerprint, store, created) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (collection) DO UPDATE SET "
                "model = excluded.model, fingerprint = excluded.fingerprint, store = excluded.store",
                (collection, model, fingerprint, store, time.time()),
            )

    def all(self) -> dict[str, tuple[str, str]]:
        """Name → (model, fingerprint)."""
        home = self._database.path.parent
        rows = self._database.read("SELECT collection, model, fingerprint FROM collections ORDER BY collection")
        return {row["collection"]: (at_home(home, row["model"]), row["fingerprint"]) for row in rows}

    def check_store(self, collection: str, location: str) -> None:
        """CollectionElsewhere if another store than the one at `location` holds the collection. A home has one embedded
        store, wherever it lies by now."""
        rows = self._database.read("SELECT store FROM collections WHERE collection = ?", (collection,))
        if not rows or _place(rows[0]["store"]) == _place(location):
            return
        raise CollectionElsewhere(
            f"The documents of {collection!r} are kept in {_place(rows[0]['store'])}, not in {_place(location)}. Leave "
            "LABSE_STORE (or --store) as it was, or take another home for this store (LABSE_HOME): a backup that is "
            "brought in there takes the documents along. If the collection is in this store all the same, say because "
            "the server has another address now: python -m labse_search.library take-over --collection NAME"
        )

    def move_to(self, location: str) -> None:
        """All of them are in the store at `location` from now on."""
        with self._database.write() as database:
            database.execute("UPDATE collections SET store = ?", (location,))

    def drop(self, collection: str) -> None:
        """Erase the collection and all that the ledger knows of its documents."""
        with self._database.write() as database:
            tables = (
                "collections",
                "documents",
                "names",
                "unsettled",
                "generations",
                "generation_documents",
                "watches",
            )
            for table in tables:
                database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))


def _place(location: str) -> str:
    """What a person calls the store, the same for each way to write a server's address."""
    return location.rstrip("/").lower() if is_url(location) else "the embedded store"
