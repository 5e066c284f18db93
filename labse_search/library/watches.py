"""The ledger's watches: which folders a running app keeps which collection in step with."""

from __future__ import annotations

import time
from pathlib import Path

from labse_search.library.database import Database, path_text, path_value


class Watches:
    """The table of folders that collections are kept in step with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, collection: str, folder: Path) -> None:
        """Nothing happens if it is watched already."""
        with self._database.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO watches (collection, folder, since) VALUES (?, ?, ?)",
                (collection, path_value(str(folder)), time.time()),
            )

    def drop(self, collection: str, folder: Path) -> None:
        """What came from the folder stays."""
        with self._database.write() as database:
            database.execute(
                "DELETE FROM watches WHERE collection = ? AND folder = ?", (collection, path_value(str(folder)))
            )

    def all(self) -> list[tuple[str, Path]]:
        """(collection, folder), oldest first."""
        rows = self._database.read("SELECT collection, folder FROM watches ORDER BY since, folder")
        return [(row["collection"], Path(path_text(row["folder"]))) for row in rows]
