"""The SQLite ledger: collections, documents, names, jobs. Plain rows in, plain values out; no text of documents."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from labse_search.errors import LedgerDamaged, UserError
from labse_search.library.records import DocumentRow, JobFile, JobRow, JobState, Outcome, Source, Wish
from labse_search.records import Note

UNFINISHED: tuple[JobState, ...] = ("queued", "running", "paused")
MOST_STARTS = 20  # of one job without any file done in between: then its own process is at fault, not a kill
BUSY_SECONDS = 30.0  # to wait for another writer; ours write for milliseconds

_DOCUMENT = """SELECT d.*, (SELECT json_group_array(n.name) FROM names n
  WHERE n.collection = d.collection AND n.document = d.document) AS names FROM documents d"""
_JOB = """SELECT jobs.*, COUNT(f.position) AS files, COALESCE(SUM(f.outcome != ''), 0) AS files_done,
  COALESCE(SUM(f.size), 0) AS bytes, COALESCE(SUM(CASE WHEN f.outcome != '' THEN f.size ELSE 0 END), 0) AS bytes_done
  FROM jobs LEFT JOIN job_files f ON f.job = jobs.id"""


class Ledger:
    """Safe to use from several threads and processes at once (SQLite WAL, one connection a thread)."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._local = threading.local()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{path.parent} cannot be written ({error}). Choose another folder with LABSE_HOME or --store."
            ) from error
        with self._write() as database:
            database.executescript(resources.files(__package__).joinpath("ledger.sql").read_text())

    # ---- collections

    def set_collection(self, collection: str, *, model: str, fingerprint: str, store: str) -> None:
        with self._write() as database:
            database.execute(
                "INSERT INTO collections VALUES (?, ?, ?, ?, ?) ON CONFLICT (collection) DO UPDATE SET "
                "model = excluded.model, fingerprint = excluded.fingerprint, store = excluded.store",
                (collection, model, fingerprint, store, time.time()),
            )

    def collections(self) -> dict[str, tuple[str, str]]:
        """Name → (model, fingerprint)."""
        rows = self._read("SELECT collection, model, fingerprint FROM collections ORDER BY collection")
        return {row["collection"]: (row["model"], row["fingerprint"]) for row in rows}

    def drop_collection(self, collection: str) -> None:
        with self._write() as database:
            for table in ("collections", "documents", "names", "unsettled"):
                database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))

    # ---- documents

    def put_document(self, row: DocumentRow, *, version: int, job: str = "") -> None:
        """Write the row; its names stay as they are. `job` is who is storing it."""
        with self._write() as database:
            database.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.collection, row.document, row.kind, row.title, row.bytes, row.characters, row.embedded,
                    json.dumps(dict(row.skipped)), row.segments, json.dumps(dict(row.languages)), row.encoding,
                    json.dumps([[note.code, note.detail] for note in row.notes], ensure_ascii=False), row.digest,
                    row.state, version, job, row.added, row.removed,
                ),
            )  # fmt: skip

    def set_state(self, collection: str, document: str, state: str, *, job: str = "") -> None:
        removed = time.time() if state in ("removing", "removed") else None
        with self._write() as database:
            database.execute(
                "UPDATE documents SET state = ?, job = ?, removed = ? WHERE collection = ? AND document = ?",
                (state, job, removed, collection, document),
            )

    def read_again(self, collection: str, documents: Iterable[str]) -> None:
        """Let these documents count as stored another way: whoever adds their files again replaces what is there."""
        with self._write() as database:
            database.executemany(
                "UPDATE documents SET version = 0 WHERE collection = ? AND document = ?",
                [(collection, document) for document in documents],
            )

    def document(self, collection: str, document: str) -> DocumentRow | None:
        rows = list(self._documents("collection = ? AND document = ?", (collection, document)))
        return rows[0] if rows else None

    def version(self, collection: str, document: str) -> int:
        """The segmentation version the document was stored with; -1 if it is not stored."""
        rows = self._read(
            "SELECT version FROM documents WHERE collection = ? AND document = ? AND state = 'stored'",
            (collection, document),
        )
        return int(rows[0]["version"]) if rows else -1

    def documents(self, collection: str, states: Sequence[str] = ("stored",)) -> list[DocumentRow]:
        marks = ",".join("?" * len(states))
        return list(self._documents(f"collection = ? AND state IN ({marks})", (collection, *states)))

    def forget_document(self, collection: str, document: str) -> None:
        with self._write() as database:
            for table in ("documents", "names", "unsettled"):
                database.execute(f"DELETE FROM {table} WHERE collection = ? AND document = ?", (collection, document))

    def snapshot(self, target: Path) -> None:
        """A consistent copy of the ledger at `target`, while others go on writing."""
        copy = sqlite3.connect(target)
        try:
            with self._explained():
                self._connection().backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()

    def damage(self) -> list[str]:
        """What SQLite finds wrong with its file; empty if nothing."""
        try:
            rows = self._read("PRAGMA integrity_check")
        except LedgerDamaged as error:
            return [str(error)]
        return [row[0] for row in rows if row[0] != "ok"]

    def kept_anywhere(self, document: str, *, but: str = "") -> bool:
        """Whether any collection (`but` one) has the document in any state."""
        return bool(
            self._read("SELECT 1 FROM documents WHERE document = ? AND collection != ? LIMIT 1", (document, but))
        )

    def _documents(self, where: str, values: Sequence[object]) -> Iterator[DocumentRow]:
        for row in self._read(f"{_DOCUMENT} WHERE {where} ORDER BY added, document", values):
            yield DocumentRow(
                collection=row["collection"],
                document=row["document"],
                names=tuple(sorted(json.loads(row["names"]))),
                kind=row["kind"],
                title=row["title"],
                bytes=row["bytes"],
                characters=row["characters"],
                embedded=row["embedded"],
                skipped=json.loads(row["skipped"]),
                segments=row["segments"],
                languages=json.loads(row["languages"]),
                encoding=row["encoding"],
                notes=tuple(Note(code, detail) for code, detail in json.loads(row["notes"])),
                digest=row["digest"],
                state=row["state"],
                added=row["added"],
                removed=row["removed"],
            )

    # ---- names

    def name_at(self, collection: str, path: str) -> tuple[str, str, int, int] | None:
        """(name, document, size, mtime_ns) of what was read from this path last time."""
        rows = self._read(
            "SELECT name, document, size, mtime_ns FROM names WHERE collection = ? AND path = ?",
            (collection, _path_value(path)),
        )
        return (rows[0]["name"], rows[0]["document"], rows[0]["size"], rows[0]["mtime_ns"]) if rows else None

    def name(self, collection: str, name: str) -> tuple[str, str, int, int] | None:
        """(document, path, size, mtime_ns) behind a name."""
        rows = self._read(
            "SELECT document, path, size, mtime_ns FROM names WHERE collection = ? AND name = ?", (collection, name)
        )
        if not rows:
            return None
        return rows[0]["document"], _path_text(rows[0]["path"]), rows[0]["size"], rows[0]["mtime_ns"]

    def names(self, collection: str, document: str) -> list[str]:
        rows = self._read(
            "SELECT name FROM names WHERE collection = ? AND document = ? ORDER BY name", (collection, document)
        )
        return [row["name"] for row in rows]

    def names_under(self, collection: str, folder: str) -> list[tuple[str, str]]:
        """(name, path) of every file once read from inside this folder of the disk."""
        start = os.fsencode(folder).rstrip(b"/") + b"/"
        rows = self._read(
            "SELECT name, path FROM names WHERE collection = ? AND substr(CAST(path AS BLOB), 1, ?) = ? ORDER BY name",
            (collection, len(start), start),
        )
        return [(row["name"], _path_text(row["path"])) for row in rows]

    def put_name(
        self, collection: str, name: str, document: str, *, path: str = "", size: int = 0, mtime_ns: int = 0
    ) -> None:
        with self._write() as database:
            database.execute(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?, ?)",
                (collection, name, document, _path_value(path), size, mtime_ns),
            )

    def drop_name(self, collection: str, name: str) -> None:
        with self._write() as database:
            database.execute("DELETE FROM names WHERE collection = ? AND name = ?", (collection, name))

    def set_unsettled(self, collection: str, documents: Iterable[str], *, settled: bool = False) -> None:
        """Note that the store does not know the names of these documents yet, or (`settled`) that it does now."""
        change = "DELETE FROM unsettled WHERE collection = ? AND document = ?"
        with self._write() as database:
            database.executemany(
                change if settled else "INSERT OR IGNORE INTO unsettled VALUES (?, ?)",
                [(collection, document) for document in documents],
            )

    def unsettled(self, collection: str) -> list[str]:
        """Documents whose names changed here and not yet in the store."""
        rows = self._read("SELECT document FROM unsettled WHERE collection = ? ORDER BY document", (collection,))
        return [row["document"] for row in rows]

    # ---- jobs

    def add_job(self, kind: str, collection: str, model: str, sources: Iterable[Source]) -> str:
        job = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:6]
        rows = (
            (job, position, _path_value(source.path), source.name, source.size, int(source.kept))
            for position, source in enumerate(sources)
        )
        with self._write() as database:
            database.execute(
                "INSERT INTO jobs (id, kind, collection, model, state, created) VALUES (?, ?, ?, ?, 'queued', ?)",
                (job, kind, collection, model, time.time()),
            )
            database.executemany(
                "INSERT INTO job_files (job, position, path, name, size, kept) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
        return job

    def jobs(self, collection: str | None = None, *, limit: int = 50) -> list[JobRow]:
        """Newest first."""
        where, values = ("WHERE collection = ?", [collection]) if collection else ("", [])
        return self._jobs(f"{where} GROUP BY jobs.id ORDER BY created DESC, id DESC LIMIT {int(limit)}", values)

    def job(self, job: str) -> JobRow:
        rows = self._jobs("WHERE jobs.id = ? GROUP BY jobs.id", [job])
        if not rows:
            raise UserError(f"There is no job {job!r}.")
        return rows[0]

    def start_job(self, job: str) -> bool:
        """Say that the job is being done from now on: wishes are heard by whoever does it. False if it is not to be
        done any more, because it was paused, cancelled or has failed too often without getting anywhere."""
        with self._write() as database:
            change = "UPDATE jobs SET state = 'running', started = COALESCE(started, ?), finished = NULL, error = '' "
            if not database.execute(f"{change} WHERE id = ? AND state IN ('queued', 'running')",
                                    (time.time(), job)).rowcount:  # fmt: skip
                return False
            done = "(SELECT COUNT(f.position) + jobs.segments FROM jobs LEFT JOIN job_files f ON f.job = jobs.id " \
                   "AND f.outcome != '' WHERE jobs.id = ?)"  # fmt: skip
            database.execute(
                f"INSERT INTO starts VALUES (?, 1, {done}) ON CONFLICT (job) DO UPDATE SET "
                "starts = IIF(done = excluded.done, starts + 1, 1), done = excluded.done",
                (job, job),
            )
            starts = database.execute("SELECT starts FROM starts WHERE job = ?", (job,)).fetchone()[0]
            if starts > MOST_STARTS:
                sentence = f"The process that does this job ended {MOST_STARTS} times without getting on."
                database.execute("UPDATE jobs SET state = 'failed', error = ? WHERE id = ?", (sentence, job))
            return int(starts) <= MOST_STARTS

    def unfinished_jobs(self) -> list[JobRow]:
        """Oldest first."""
        marks = ",".join("?" * len(UNFINISHED))
        return self._jobs(f"WHERE state IN ({marks}) GROUP BY jobs.id ORDER BY created, id", UNFINISHED)

    def new_bytes(self, job: str, collection: str) -> int:
        """Of the job's files that nothing became of yet, the bytes of those from paths that were never read before."""
        rows = self._read(
            "SELECT COALESCE(SUM(size), 0) AS bytes FROM job_files WHERE job = ? AND outcome = '' "
            "AND path NOT IN (SELECT path FROM names WHERE collection = ?)",
            (job, collection),
        )
        return int(rows[0]["bytes"])

    def job_files(self, job: str, *, outcomes: Sequence[str] = (), limit: int = 1_000_000) -> list[JobFile]:
        where, values = "", []
        if outcomes:
            where, values = f" AND outcome IN ({','.join('?' * len(outcomes))})", list(outcomes)
        rows = self._read(
            f"SELECT * FROM job_files WHERE job = ?{where} ORDER BY position LIMIT ?", (job, *values, limit)
        )
        return [
            JobFile(
                position=row["position"],
                source=Source(_path_text(row["path"]), row["name"], row["size"], bool(row["kept"])),
                outcome=row["outcome"],
                reason=row["reason"],
                detail=row["detail"],
                document=row["document"],
                segments=row["segments"],
            )
            for row in rows
        ]

    def set_outcome(
        self,
        job: str,
        position: int,
        outcome: Outcome,
        *,
        reason: str = "",
        detail: str = "",
        document: str = "",
        segments: int = 0,
    ) -> None:
        with self._write() as database:
            database.execute(
                "UPDATE job_files SET outcome = ?, reason = ?, detail = ?, document = ?, segments = ? "
                "WHERE job = ? AND position = ?",
                (outcome, reason, detail, document, segments, job, position),
            )

    def wish(self, job: str, wish: Wish) -> None:
        """What the person asks for: "pause", "cancel", or "" to go on, which also retries a failed job.

        A job nobody works on changes at once; a running one when its worker looks. One that is over stays over.
        """
        now = time.time()
        with self._write() as database:
            change = "UPDATE jobs SET wish = ?, state = ?, finished = ? WHERE id = ? AND state IN "
            if wish == "":
                database.execute(change + "('paused', 'failed')", ("", "queued", None, job))
                database.execute("DELETE FROM starts WHERE job = ?", (job,))
            elif wish == "pause":
                database.execute(change + "('queued')", ("", "paused", None, job))
            else:
                database.execute(change + "('queued', 'paused', 'failed')", ("", "cancelled", now, job))
            database.execute("UPDATE jobs SET wish = ? WHERE id = ? AND state = 'running'", (wish, job))

    def is_storing(self, collection: str, document: str, job: str) -> bool:
        """Whether the document is half way in, by this job."""
        return bool(
            self._read(
                "SELECT 1 FROM documents WHERE collection = ? AND document = ? AND state = 'storing' AND job = ?",
                (collection, document, job),
            )
        )

    def storing(self, collection: str) -> list[tuple[str, str]]:
        """(document, job) of every document that is half way in."""
        rows = self._read(
            "SELECT document, job FROM documents WHERE collection = ? AND state = 'storing'", (collection,)
        )
        return [(row["document"], row["job"]) for row in rows]

    def wished(self, job: str) -> Wish:
        wish: Wish = self._read("SELECT wish FROM jobs WHERE id = ?", (job,))[0]["wish"]
        return wish

    def set_job(self, job: str, **values: object) -> None:
        """Set columns of the job: state, segments, rate, seconds_left, current, error, started, finished, model."""
        assert set(values) <= {"state", "segments", "rate", "seconds_left", "current", "error", "started", "finished",
                               "model"}  # fmt: skip
        columns = ", ".join(f"{column} = ?" for column in values)
        with self._write() as database:
            database.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*values.values(), job))

    def _jobs(self, where: str, values: Sequence[object]) -> list[JobRow]:
        jobs = []
        for row in self._read(f"{_JOB} {where}", values):
            outcomes = self._read(
                "SELECT outcome, COUNT(*) AS n FROM job_files WHERE job = ? AND outcome != '' GROUP BY outcome",
                (row["id"],),
            )
            jobs.append(
                JobRow(
                    **{name: row[name] for name in JobRow.__dataclass_fields__ if name != "outcomes"},
                    outcomes={line["outcome"]: line["n"] for line in outcomes},
                )
            )
        return jobs

    # ---- connections

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=self._busy_seconds, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: what is acknowledged survives a power cut; a document is one small commit, so it costs little.
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several writes as one: all or nothing, one flush to the disk. What was read inside stays true until its end,
        for other processes too."""
        with self._write():
            yield

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            database = self._connection()
            if database.in_transaction:  # inside transaction(): that one commits
                yield database
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                if database.in_transaction:  # executescript() commits by itself
                    database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite undoes it by itself when the disk is full
                    database.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._explained():
            return self._connection().execute(query, tuple(values)).fetchall()

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
        if code == sqlite3.SQLITE_FULL:
            return UserError("The disk is full. What was indexed is safe. Free some space, then press Retry.")
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

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _path_value(path: str) -> str | bytes:
    """A path as the database takes it: names that are no Unicode (from an old disk) as their bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _path_text(value: str | bytes) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else value
