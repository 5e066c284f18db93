"""The ledger's names: which document each name of a collection means, and where its file was read from."""

from __future__ import annotations

import os
from collections.abc import Iterable

from labse_search.library.database import Database, path_text, path_value
from labse_search.library.records import FileStamp

NO_FILE = FileStamp()


class Names:
    """The table of names: which document each name of a collection stands for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, collection: str, name: str) -> tuple[str, str, int, int] | None:
        """(document, path, size, mtime_ns) behind a name."""
        rows = self._database.read(
            "SELECT document, path, size, mtime_ns FROM names WHERE collection = ? AND name = ?", (collection, name)
        )
        if not rows:
            return None
        return rows[0]["document"], path_text(rows[0]["path"]), rows[0]["size"], rows[0]["mtime_ns"]

    def of(self, collection: str, document: str) -> list[str]:
        """All names of a document, sorted."""
        rows = self._database.read(
            "SELECT name FROM names WHERE collection = ? AND document = ? ORDER BY name", (collection, document)
        )
        return [row["name"] for row in rows]

    def at_path(self, collection: str, path: str) -> tuple[str, str, int, int] | None:
        """(name, document, size, mtime_ns) of what was read from this path last time."""
        rows = self._database.read(
            "SELECT name, document, size, mtime_ns FROM names WHERE collection = ? AND path = ?",
            (collection, path_value(path)),
        )
        return (rows[0]["name"], rows[0]["document"], rows[0]["size"], rows[0]["mtime_ns"]) if rows else None

    def under(self, collection: str, folder: str) -> list[tuple[str, str]]:
        """(name, path) of every file once read from inside this folder of the disk."""
        start = os.fsencode(folder).rstrip(b"/") + b"/"
        rows = self._database.read(
            "SELECT name, path FROM names WHERE collection = ? AND substr(CAST(path AS BLOB), 1, ?) = ? ORDER BY name",
            (collection, len(start), start),
        )
        return [(row["name"], path_text(row["path"])) for row in rows]

    def put(self, collection: str, name: str, document: str, file: FileStamp = NO_FILE) -> None:
        """Let the name stand for the document from now on."""
        with self._database.write() as database:
            database.execute(
                "INSERT OR REPLACE INTO names (collection, name, document, path, size, mtime_ns) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (collection, name, document, path_value(file.path), file.size, file.mtime_ns),
            )

    def drop(self, collection: str, name: str) -> None:
        """The document itself stays."""
        with self._database.write() as database:
            database.execute("DELETE FROM names WHERE collection = ? AND name = ?", (collection, name))

    def set_unsettled(self, collection: str, documents: Iterable[str], *, settled: bool = False) -> None:
        """Note that the store does not know the names of these documents yet, or (`settled`) that it does now."""
        if settled:
            change = "DELETE FROM unsettled WHERE collection = ? AND document = ?"
        else:
            change = "INSERT OR IGNORE INTO unsettled (collection, document) VALUES (?, ?)"
        with self._database.write() as database:
            database.executemany(change, [(collection, document) for document in documents])

    def unsettled(self, collection: str) -> list[str]:
        """Documents whose names changed here and not yet in the store."""
        rows = self._database.read(
            "SELECT document FROM unsettled WHERE collection = ? ORDER BY document", (collection,)
        )
        return [row["document"] for row in rows]
