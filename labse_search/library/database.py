"""The ledger's SQLite file: connections, transactions, versions of its schema, SQLite's troubles in a person's words.

SQLite WAL, one connection a thread; safe to use from several threads and processes at once.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from labse_search.errors import LedgerDamaged, UserError
from labse_search.home import open_home
from labse_search.library.open_files import open_files

log = logging.getLogger("labse_search.library")

BUSY_SECONDS = 30.0  # to wait for another writer; ours write for milliseconds
BUSY_POLL_SECONDS = 0.02
_SCHEMA = re.compile(r"(\d+)\.sql")


class Database:
    """`read` and `write` for the tables of one file; nothing here knows what is in them."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS, schema: str = __package__) -> None:
        """`schema`: the package whose folder `schema` holds the tables' versions."""
        self.path = path
        self._schemas = schema_versions(schema)
        self._busy_seconds = busy_seconds
        open_home(path.parent)
        self._files = open_files(path)
        self._migrate()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several writes as one: all or nothing, one flush to the disk. What was read inside stays true until its end,
        for other processes too."""
        with self.write():
            yield

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction: the one that is open already, or one that ends with the block."""
        with self._explained(), self._connection() as database:
            if database.in_transaction:  # inside transaction(): that one commits
                yield database
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite undoes it by itself when the disk is full
                    database.execute("ROLLBACK")
                raise

    def read(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows that a query finds. LedgerDamaged, or UserError for a disk that fails."""
        with self._explained(), self._connection() as database:
            return database.execute(query, tuple(values)).fetchall()

    def snapshot(self, target: Path) -> None:
        """A consistent copy of the ledger at `target`, while others go on writing."""
        copy = sqlite3.connect(target)
        try:
            with self._explained(), self._connection() as database:
                database.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()

    def damage(self) -> list[str]:
        """What SQLite finds wrong with its file; empty if nothing."""
        try:
            rows = self.read("PRAGMA integrity_check")
        except LedgerDamaged as error:
            return [str(error)]
        return [row[0] for row in rows if row[0] != "ok"]

    def close(self) -> None:
        """Close this thread's connection."""
        self._files.close()

    def replacements(self) -> list[str]:
        """When a process found the ledger's files replaced or deleted while it had them open, since the last repair."""
        rows = self.read("SELECT noticed FROM replacements ORDER BY noticed")
        return [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["noticed"])) for row in rows]

    def forget_replacements(self) -> None:
        """Once somebody has been told of them."""
        with self.write() as database:
            database.execute("DELETE FROM replacements")

    # ---- schema

    def _migrate(self) -> None:
        """Bring the file's schema up to this program's. UserError if a newer program wrote it."""
        schemas = self._schemas
        latest = max(schemas)
        if self._version() == latest:
            return
        with self.write() as database:
            there = self._version()  # another process may have been faster
            if there > latest:
                raise UserError(
                    f"The library in {self.path.parent} was last used by a newer version of this program: its ledger "
                    f"has version {there}, this one reads up to {latest}. Update labse-search; nothing was changed."
                )
            for version in range(there + 1, latest + 1):
                for statement in _statements(schemas[version]):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {latest}")

    def _version(self) -> int:
        return int(self.read("PRAGMA user_version")[0][0])

    # ---- connections

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._files.use(self._connect, self._busy_seconds) as (connection, replaced):
            if replaced:
                self._replaced(connection)
            yield connection

    def _connect(self, busy_seconds: float) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            _write_ahead(connection, busy_seconds)
            # FULL: what is acknowledged survives a power cut; a document is one small commit, so it costs little.
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _replaced(self, connection: sqlite3.Connection) -> None:
        """The files were not those that this process had opened: said in the log, and noted for the check."""
        log.warning("the ledger %s was replaced or its log deleted while it was open; it was opened again", self.path)
        if connection.execute("PRAGMA user_version").fetchone()[0] == max(self._schemas):
            connection.execute("INSERT INTO replacements (noticed) VALUES (?)", (time.time(),))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's troubles in a person's words: LedgerDamaged, or another UserError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            explained = self._explain(error)
            if explained is None:
                raise  # a bug of ours
            raise explained from error

    def _explain(self, error: sqlite3.DatabaseError) -> UserError | None:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF  # the primary code; the rest says where inside SQLite
        if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
            return LedgerDamaged(
                f"The ledger {self.path} was deleted, or replaced by an older one, while it was open. Put it back, or "
                "run: python -m labse_search.library check --repair"
            )
        if code == sqlite3.SQLITE_FULL:
            return UserError("The disk is full. What was indexed is safe. Free some space and try again.")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return UserError(
                f"The ledger {self.path} has been in use by another program for {self._busy_seconds:.0f} seconds. Try "
                "again when that is done."
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or extended == sqlite3.SQLITE_IOERR_SHORT_READ:
            return LedgerDamaged(
                f"The ledger {self.path} is damaged ({error}). Run: python -m labse_search.library check --repair"
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            return UserError(
                f"{self.path.parent} cannot be written ({error}). Choose another folder with LABSE_HOME or --store."
            )
        return None


def _write_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to the write-ahead log. While another process is writing, as where several open a new home at once, SQLite
    refuses this at once whatever its timeout (3.40 does): we wait."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_POLL_SECONDS)


def schema_versions(package: str = __package__) -> dict[int, str]:
    """Version → the statements that make it of the one before it."""
    folder = resources.files(package).joinpath("schema")
    found = ((_SCHEMA.fullmatch(file.name), file) for file in folder.iterdir())
    return {int(match[1]): file.read_text(encoding="utf-8") for match, file in found if match is not None}


def _statements(script: str) -> Iterator[str]:
    """One at a time: sqlite3's own executescript() would commit the transaction that they belong in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def path_value(path: str) -> str | bytes:
    """A path as the database takes it: names that are no Unicode (from an old disk) as their bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def path_text(value: str | bytes) -> str:
    """A path as it was put in with `path_value`."""
    return os.fsdecode(value) if isinstance(value, bytes) else value
