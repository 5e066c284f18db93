"""Whole collections, and the whole library: another name, put together, backed up, brought back. No gradio here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.generations import delete_collection
from indexer.home_files import weight_bytes
from indexer.keeping import KINDS, add_backup_job, add_restore_job
from indexer.merge import merge, rename
from labse_search.errors import UserError
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, same_collection, sentence
from labse_search.ui.handlers.jobs import ask_job, job_value
from labse_search.ui.strings import text

FOLDER = "backups"  # in the home
SHOWN = 4  # jobs of backing up and bringing in, the newest
_NAME = re.compile(r"backup-[0-9-]+\.tar")


class ManageHandlers:
    """What can be done with a whole collection: renamed, backed up, erased."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context

    def shown(self, collection: str, message: str = "", **more: Any) -> Value:
        """What can be done with the collection, and the backups that there are."""

        def look() -> Value:
            known = self.context.library.ledger.collections.all()
            mine = known.get(collection)
            others = [name for name, (_, mark) in known.items() if mine and name != collection and mark == mine[1]]
            files = sorted(self.folder.glob("backup-*.tar"), reverse=True)
            return {
                "collection": collection,
                "there": mine is not None,
                "documents": len(self.context.library.documents(collection)),
                "others": others,
                "backups": [{"name": file.name, "bytes": file.stat().st_size} for file in files],
                "weights": weight_bytes(self.context.library),
                "jobs": self.jobs(),
                "local": self.context.local,
                "message": message,
                **more,
            }

        return guarded(look, lambda *failed: {"collection": collection, "message": sentence(*failed)})

    @property
    def folder(self) -> Path:
        """Where backups lie."""
        return self.context.settings.home / FOLDER

    def rename(self, collection: str, event: Event) -> Value:
        """Rename the collection. What the page then opens."""

        def act() -> Value:
            same_collection(collection, event)
            name = rename(self.context.library, self.context.store, collection, event.text("name"))
            return self.shown(name, to=name)

        return self._acted(collection, act)

    def merge(self, collection: str, event: Event) -> Value:
        """Into another one; the page has asked, and says which ones it asked about."""

        def act() -> Value:
            into = event.text("into")
            if event.text("name") != collection or into not in self.context.library.ledger.collections.all():
                raise UserError(text("gone"))
            merge(self.context.library, self.context.store, collection, into)
            return self.shown(into, to=into)

        return self._acted(collection, act)

    def erase(self, collection: str, event: Event) -> Value:
        """Erase the whole collection for good; the page has asked, and says which one it asked about."""

        def act() -> Value:
            if event.text("name") != collection:
                raise UserError(text("gone"))
            delete_collection(self.context.library, self.context.store, collection)
            return self.shown(collection, erased=collection)

        return self._acted(collection, act)

    def backup(self, collection: str, event: Event) -> Value:
        """Let a job write a backup of everything into the home, or of everything but models. What can be done then."""

        def act() -> Value:
            name = time.strftime("backup-%Y%m%d-%H%M%S.tar")
            weights = event.text("models") != "no"
            add_backup_job(self.context.library, collection, self.folder / name, weights=weights)
            self.context.wake()
            return self.shown(collection)

        return self._acted(collection, act)

    def delete_backup(self, collection: str, event: Event) -> Value:
        """Delete one backup; nothing happens if there is none of this name."""

        def act() -> Value:
            file = self.backup_file(event.text("name"))
            if file is not None:
                file.unlink()
            return self.shown(collection)

        return self._acted(collection, act)

    def bring(self, collection: str, event: Event) -> Value:
        """Let a job bring in a backup of the list, or any file of this computer where only this computer can ask."""

        def act() -> Value:
            file = self.backup_file(event.text("name"))
            if file is None and self.context.local and event.text("place"):
                file = Path(event.text("place")).expanduser()
                if not file.is_absolute():
                    raise UserError(text("path_relative"))
            if file is None or not file.is_file():
                raise UserError(text("path_missing"))
            add_restore_job(self.context.library, collection, file)
            self.context.wake()
            return self.shown(collection)

        return self._acted(collection, act)

    def request(self, collection: str, event: Event) -> Value:
        """Cancel one of these jobs, or try it again."""

        def act() -> Value:
            ask_job(self.context, event)
            return self.shown(collection)

        return self._acted(collection, act)

    def jobs(self) -> list[Value]:
        """The newest jobs that back up or bring in, each with the name of its file; they concern every collection."""
        library = self.context.library
        rows = library.jobs(limit=SHOWN, kinds=KINDS)
        if any(job.state in ("queued", "running") for job in rows):
            self.context.wake()  # a worker that died is replaced
        return [job_value(job) | {"file": library.job_files(job.id)[0].source.name} for job in rows]

    def backup_file(self, name: str) -> Path | None:
        """The backup of that name, or None."""
        file = self.folder / name
        return file if _NAME.fullmatch(name) and file.is_file() else None

    def _acted(self, collection: str, act: Callable[[], Value]) -> Value:
        return guarded(act, lambda *failed: self.shown(collection, sentence(*failed)))
