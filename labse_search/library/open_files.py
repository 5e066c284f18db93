"""The open connections of this process to one SQLite file, and whether its files are still those that were opened.

SQLite believes that nobody deletes or replaces its files while they are open. When somebody does (a backup program puts
an old copy in place, a tidy person deletes the `-wal`), what is written goes to files without a name and is lost. So
before each use the files' identities are compared. Those of one path are closed together: they share memory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Identity = tuple[int, int] | None


class OpenFiles:
    """All connections to `path` of this process: many threads use theirs at once, but none while they are replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._free = threading.Condition()
        self._users = 0
        self._connections: dict[tuple[int, float], sqlite3.Connection] = {}  # by thread and patience
        self._opened: tuple[Identity, Identity] = (None, None)  # of the file and its write-ahead log
        self._local = threading.local()

    @contextmanager
    def use(
        self, connect: Callable[[float], sqlite3.Connection], busy_seconds: float
    ) -> Iterator[tuple[sqlite3.Connection, bool]]:
        """This thread's connection, and whether the files were found replaced and opened again for this use."""
        depth = getattr(self._local, "depth", 0)
        again = False if depth else self._enter()
        self._local.depth = depth + 1
        try:
            key = (threading.get_ident(), busy_seconds)
            connection = self._connections.get(key)
            if connection is None:
                self._close_of_ended_threads()
                connection = self._connections[key] = connect(busy_seconds)
            yield connection, again
        finally:
            self._local.depth = depth
            if not depth:
                self._leave()

    def close(self) -> None:
        """This thread's connections."""
        with self._free:
            self._close([key for key in self._connections if key[0] == threading.get_ident()])

    def _close(self, keys: list[tuple[int, float]]) -> None:
        for key in keys:
            self._connections.pop(key).close()
        if not self._connections:  # with the last one SQLite brings the log into the file and deletes it
            self._opened = (None, None)

    def _close_of_ended_threads(self) -> None:
        with self._free:
            alive = {thread.ident for thread in threading.enumerate()}
            self._close([key for key in self._connections if key[0] not in alive])

    def _enter(self) -> bool:
        with self._free:
            replaced = self._replaced()
            if replaced:
                self._free.wait_for(lambda: not self._users)
                replaced = self._replaced()  # another thread may have been faster
                if replaced:
                    self._close_all()
            self._users += 1
            return replaced

    def _leave(self) -> None:
        with self._free:
            self._users -= 1
            if self._connections and None in self._opened:  # the log comes into being with the first use
                self._opened = (_identity(self._path), _identity(self._wal))
            if not self._users:
                self._free.notify_all()

    def _replaced(self) -> bool:
        file, wal = self._opened
        if not self._connections or file is None:
            return False
        return _identity(self._path) != file or (wal is not None and _identity(self._wal) != wal)

    def _close_all(self) -> None:
        """What the open log holds is brought into the file, where that is still the one that it belongs to; a file that
        was replaced is written beside the new one first, as those who have it open know it."""
        file, wal = self._opened
        ours = _identity(self._path) == file
        aside = self._wal.with_name(f".{self._wal.name}-{os.getpid()}")
        if _identity(self._wal) not in (None, wal):  # somebody else's, who has written meanwhile
            ours = False
            os.replace(self._wal, aside)  # SQLite deletes the log by its name when it closes
        for connection in self._connections.values():
            with contextlib.suppress(sqlite3.Error):
                if ours:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if _identity(self._path) != file and self._connections:
            self._save(next(iter(self._connections.values())))
        for connection in self._connections.values():
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        self._connections.clear()
        self._opened = (None, None)
        if _identity(self._path) != file:
            self._wal.unlink(missing_ok=True)  # the old file's: it must not be read into the new one
        with contextlib.suppress(FileNotFoundError):
            os.replace(aside, self._wal)

    def _save(self, connection: sqlite3.Connection) -> None:
        place = self._path.with_name(f"{self._path.stem}.replaced-{time.strftime('%Y%m%d-%H%M%S')}")
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(place)) as copy:
            connection.backup(copy)


_OPEN: dict[Path, OpenFiles] = {}
_OPENING = threading.Lock()


def open_files(path: Path) -> OpenFiles:
    """The one of this process for this path."""
    with _OPENING:
        return _OPEN.setdefault(path.absolute(), OpenFiles(path))


def _identity(path: Path) -> Identity:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
