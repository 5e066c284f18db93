"""The ledger's jobs: what is to be done, what became of each file, and what a person asked for meanwhile."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence

from labse_search.errors import UserError
from labse_search.home import at_home
from labse_search.library.database import Database, path_text, path_value
from labse_search.library.records import Action, FileOutcome, JobFile, JobRow, JobState, Source

UNFINISHED: tuple[JobState, ...] = ("queued", "running", "paused")
MOST_STARTS = 20  # of one job without any file done in between: then its own process is at fault, not a kill
KEPT_JOBS = 50  # of those that are over, as many as the page lists
KEPT_FILES = 1_000_000  # in those jobs together: 150 MB of ledger

_DONE = "(SELECT COALESCE(SUM(files), 0) FROM job_outcomes WHERE job = jobs.id AND outcome != '')"


class Jobs:
    """The tables of jobs and of their files."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._home = database.path.parent

    def add(self, kind: str, collection: str, model: str, sources: Iterable[Source]) -> str:
        """A job that waits to be done. Returns its id. The oldest of those that are over are forgotten."""
        job = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:6]
        rows = (
            (
                job,
                position,
                path_value(source.path),
                source.name,
                source.size,
                int(source.kept),
                "skipped" if source.reason else "",
                source.reason,
            )
            for position, source in enumerate(sources)
        )
        with self._database.write() as database:
            _prune(database)
            database.execute(
                "INSERT INTO jobs (id, kind, collection, model, state, created) VALUES (?, ?, ?, ?, 'queued', ?)",
                (job, kind, collection, model, time.time()),
            )
            database.executemany(
                "INSERT INTO job_files (job, position, path, name, size, kept, outcome, reason) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
        return job

    def extend(self, job: str, sources: Iterable[Source]) -> None:
        """More files for a job that is at work, behind those that it has."""
        with self._database.write() as database:
            last = database.execute("SELECT MAX(position) FROM job_files WHERE job = ?", (job,)).fetchone()[0]
            first = 0 if last is None else last + 1
            database.executemany(
                "INSERT INTO job_files (job, position, path, name, size, kept) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (job, first + number, path_value(source.path), source.name, source.size, int(source.kept))
                    for number, source in enumerate(sources)
                ),
            )

    def get(self, job: str) -> JobRow:
        """UserError if there is no such job."""
        rows = self._rows("WHERE id = ?", [job])
        if not rows:
            raise UserError(f"There is no job {job!r}.")
        return rows[0]

    def recent(self, collection: str | None = None, *, limit: int = 50, kinds: Sequence[str] = ()) -> list[JobRow]:
        """Newest first; `kinds`: only these, all where none is named."""
        wanted = [("collection = ?", [collection])] if collection else []
        wanted += [(f"kind IN ({','.join('?' * len(kinds))})", [*kinds])] if kinds else []
        where = " AND ".join(part for part, _ in wanted)
        values = [value for _, part in wanted for value in part]
        order = f"ORDER BY created DESC, id DESC LIMIT {int(limit)}"
        return self._rows(f"WHERE {where} {order}" if where else order, values)

    def unfinished(self) -> list[JobRow]:
        """Oldest first."""
        marks = ",".join("?" * len(UNFINISHED))
        return self._rows(f"WHERE state IN ({marks}) ORDER BY created, id", UNFINISHED)

    def start(self, job: str) -> bool:
        """Say that the job is being done from now on: whoever does it hears what is asked for. False if it is not to be
        done any more, because it was paused, cancelled or has failed too often without getting anywhere."""
        with self._database.write() as database:
            change = "UPDATE jobs SET state = 'running', started = COALESCE(started, ?), finished = NULL, error = '' "
            if not database.execute(
                f"{change} WHERE id = ? AND state IN ('queued', 'running')", (time.time(), job)
            ).rowcount:
                return False
            database.execute(
                f"INSERT INTO starts (job, starts, done) SELECT id, 1, segments + {_DONE} FROM jobs WHERE id = ? "
                "ON CONFLICT (job) DO UPDATE SET starts = IIF(done = excluded.done, starts + 1, 1), "
                "done = excluded.done",
                (job,),
            )
            starts = database.execute("SELECT starts FROM starts WHERE job = ?", (job,)).fetchone()[0]
            if starts > MOST_STARTS:
                sentence = f"The process that does this job ended {MOST_STARTS} times without getting on."
                database.execute("UPDATE jobs SET state = 'failed', error = ? WHERE id = ?", (sentence, job))
            return int(starts) <= MOST_STARTS

    def set(self, job: str, **values: object) -> None:
        """Set columns: state, segments, share, rate, seconds_left, current, error, started, finished, model."""
        assert set(values) <= {"state", "segments", "rate", "seconds_left", "current", "error", "started", "finished",
                               "model", "share"}  # fmt: skip
        columns = ", ".join(f"{column} = ?" for column in values)
        with self._database.write() as database:
            database.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*values.values(), job))

    def request(self, job: str, action: Action) -> None:
        """What the person asks for: "pause", "cancel", or "" to go on, which also retries a failed job.

        A job nobody works on changes at once; a running one when its worker looks. One that is over stays over.
        """
        now = time.time()
        with self._database.write() as database:
            change = "UPDATE jobs SET requested = ?, state = ?, finished = ? WHERE id = ? AND state IN "
            if action == "":
                database.execute(change + "('paused', 'failed')", ("", "queued", None, job))
                database.execute("DELETE FROM starts WHERE job = ?", (job,))
            elif action == "pause":
                database.execute(change + "('queued')", ("", "paused", None, job))
            else:
                database.execute(change + "('queued', 'paused', 'failed')", ("", "cancelled", now, job))
            database.execute("UPDATE jobs SET requested = ? WHERE id = ? AND state = 'running'", (action, job))

    def requested(self, job: str) -> Action:
        """What a person asks of the job: "pause", "cancel" or nothing."""
        action: Action = self._database.read("SELECT requested FROM jobs WHERE id = ?", (job,))[0]["requested"]
        return action

    # ---- files

    def files(self, job: str, *, outcomes: Sequence[str] = (), limit: int | None = None) -> list[JobFile]:
        """The job's files in order, or those with one of these outcomes."""
        where, values = "", []
        if outcomes:
            where, values = f" AND outcome IN ({','.join('?' * len(outcomes))})", list(outcomes)
        rows = self._database.read(
            f"SELECT * FROM job_files WHERE job = ?{where} ORDER BY position LIMIT ?",
            (job, *values, -1 if limit is None else limit),
        )
        return [
            JobFile(
                position=row["position"],
                source=Source(at_home(self._home, path_text(row["path"])), row["name"], row["size"], bool(row["kept"])),
                outcome=row["outcome"],
                reason=row["reason"],
                detail=row["detail"],
                document=row["document"],
                segments=row["segments"],
            )
            for row in rows
        ]

    def set_outcome(self, job: str, position: int, of: FileOutcome) -> None:
        """What became of the file at `position`."""
        with self._database.write() as database:
            database.execute(
                "UPDATE job_files SET outcome = ?, reason = ?, detail = ?, document = ?, segments = ? "
                "WHERE job = ? AND position = ?",
                (of.outcome, of.reason, of.detail, of.document, of.segments, job, position),
            )

    def strike(self, collection: str, document: str) -> None:
        """Let no unfinished job of the collection read a document again that is being removed: files of its names, from
        where those were read, or its original."""
        marks = ",".join("?" * len(UNFINISHED))
        original = rf"*[/\]originals[/\]{document[:2]}[/\]{document}"  # in this home, wherever that lay then
        with self._database.write() as database:
            database.execute(
                "UPDATE job_files SET outcome = 'removed', document = ? WHERE outcome = '' AND job IN "
                f"(SELECT id FROM jobs WHERE collection = ? AND kind = 'index' AND state IN ({marks})) AND ("
                "path GLOB ? OR name IN (SELECT name FROM names WHERE collection = ? AND document = ?) "
                "OR path IN (SELECT path FROM names WHERE collection = ? AND document = ? AND path != ''))",
                (document, collection, *UNFINISHED, original, *(collection, document) * 2),
            )

    def is_struck(self, job: str, position: int) -> bool:
        """Whether the document of this file was removed before its turn came."""
        query = "SELECT 1 FROM job_files WHERE job = ? AND position = ? AND outcome = 'removed'"
        return bool(self._database.read(query, (job, position)))

    def has_name(self, job: str, name: str) -> bool:
        """Whether a file of the job is to get this name."""
        return bool(self._database.read("SELECT 1 FROM job_files WHERE job = ? AND name = ?", (job, name)))

    def _rows(self, where: str, values: Sequence[object]) -> list[JobRow]:
        return [self._row(row) for row in self._database.read(f"SELECT * FROM jobs {where}", values)]

    def _row(self, row: sqlite3.Row) -> JobRow:
        counted = self._database.read("SELECT outcome, files, bytes FROM job_outcomes WHERE job = ?", (row["id"],))
        return JobRow(
            id=row["id"],
            kind=row["kind"],
            collection=row["collection"],
            model=at_home(self._home, row["model"]),
            state=row["state"],
            requested=row["requested"],
            files=sum(line["files"] for line in counted),
            files_done=sum(line["files"] for line in counted if line["outcome"]),
            bytes=sum(line["bytes"] for line in counted),
            bytes_done=sum(line["bytes"] for line in counted if line["outcome"]),
            segments=row["segments"],
            rate=row["rate"],
            seconds_left=row["seconds_left"],
            current=row["current"],
            error=row["error"],
            outcomes={line["outcome"]: line["files"] for line in counted if line["outcome"] and line["files"]},
            created=row["created"],
            started=row["started"],
            finished=row["finished"],
            share=row["share"],
        )


def _prune(database: sqlite3.Connection) -> None:
    """Forget the oldest of the jobs that are over: all but so many, of so many files."""
    marks = ",".join("?" * len(UNFINISHED))
    over = database.execute(
        "SELECT id, (SELECT COALESCE(SUM(files), 0) FROM job_outcomes WHERE job = jobs.id) AS files FROM jobs "
        f"WHERE state NOT IN ({marks}) ORDER BY created DESC, id DESC",
        UNFINISHED,
    ).fetchall()
    files = 0
    for rank, row in enumerate(over):
        files += row["files"]
        if rank >= KEPT_JOBS or (rank and files > KEPT_FILES):
            for table, column in (("job_files", "job"), ("job_outcomes", "job"), ("starts", "job"), ("jobs", "id")):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (row["id"],))
