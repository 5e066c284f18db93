"""Backing up and bringing a backup in as jobs: they go on without the page, say how far they are, and can be cancelled.

A job that was killed begins again: a backup is written aside and renamed, and what a backup brought already is there.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from indexer.archive import backup
from indexer.job import check_requested, run_to_end
from indexer.merge import SCRATCH, bring_backup
from labse_search.errors import UserError
from labse_search.library import JobRow, Library, Source
from labse_search.library.records import FileOutcome
from labse_search.settings import Settings
from labse_search.store import Store, open_store

BACKUP, RESTORE = "backup", "restore"
KINDS = (BACKUP, RESTORE)
ALL_MODELS, NO_MODELS = "", "none"  # which models a backup has, in the job's column for one
log = logging.getLogger("labse_search.jobs")
TELL_SECONDS = 0.3  # between two lines in the ledger


def add_backup_job(library: Library, collection: str, target: Path, *, weights: bool = True) -> str:
    """A job that backs up the whole library, or all but the weights of models; `collection`: the one that the person
    looks at. Returns its id; that of the one at work where there is one."""
    models = ALL_MODELS if weights else NO_MODELS
    return _at_work(library, BACKUP, None) or _add(library, BACKUP, collection, target, models)


def add_restore_job(library: Library, collection: str, file: Path) -> str:
    """A job that brings the collections of a backup in. Returns its id; that of the one at work on the same file."""
    return _at_work(library, RESTORE, file) or _add(library, RESTORE, collection, file)


def _add(library: Library, kind: str, collection: str, file: Path, models: str = "") -> str:
    return library.ledger.jobs.add(kind, collection, models, [Source(str(file), file.name, 0)])


def _at_work(library: Library, kind: str, file: Path | None) -> str | None:
    for job in library.ledger.jobs.unfinished():
        if job.kind == kind and (file is None or _file(library, job) == file):
            return job.id
    return None


def _file(library: Library, job: JobRow) -> Path:
    return Path(library.job_files(job.id)[0].source.path)


def keep(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    """Do one of these jobs, in the thread that calls. Its row at the end."""
    with closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store:
        return Keeping(library, store, job, report).run()


class Keeping:
    """One job."""

    def __init__(self, library: Library, store: Store, job: JobRow, report: Callable[[JobRow], None]) -> None:
        self._library, self._store, self._job, self._report = library, store, job, report
        self._began = self._told = time.monotonic()

    def run(self) -> JobRow:
        """The job's row at its end: done, cancelled, or failed with one sentence."""
        return run_to_end(self._library, self._job.id, self._do)

    def _do(self) -> None:
        file = _file(self._library, self._job)
        _sweep(self._library, self._job, file)
        warned: list[str] = []
        if self._job.kind == BACKUP:
            weights = self._job.model != NO_MODELS
            counts = backup(self._library, self._store, file, weights=weights, tell=self._tell, warn=warned.append)
        elif file.is_file():
            counts = bring_backup(file, self._library, self._store, self._tell, warned.append)
        else:
            raise UserError(f"{file} is no longer there.")
        jobs = self._library.ledger.jobs
        detail = " ".join(warned)
        if detail:
            log.warning("job %s: %s", self._job.id, detail)
        jobs.set_outcome(self._job.id, 0, FileOutcome("added", detail=detail, segments=sum(counts.values())))
        jobs.set(self._job.id, share=1.0)

    def _tell(self, share: float, current: str) -> None:
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        check_requested(self._library, self._job.id)
        left = (now - self._began) * (1 - share) / share if share > 0 else None
        self._library.ledger.jobs.set(self._job.id, share=share, current=current, seconds_left=left)
        self._report(self._library.job(self._job.id))


def _sweep(library: Library, job: JobRow, file: Path) -> None:
    """Remove what this job left when it was killed. One job of these kinds is done at a time."""
    left = library.home.glob(f"{SCRATCH}*") if job.kind == RESTORE else file.parent.glob(f".{file.name}.*")
    for one in left:
        if one.is_dir():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink(missing_ok=True)
