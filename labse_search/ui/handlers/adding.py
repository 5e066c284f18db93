"""What happens in the tab where documents are added, and with its jobs. Values in, values out; no gradio here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from indexer.preflight import Preflight, preflight
from indexer.sources import walk
from labse_search.errors import UserError
from labse_search.library import document_id
from labse_search.library.jobs import UNFINISHED
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence
from labse_search.ui.handlers.jobs import ask_job
from labse_search.ui.plan import Waiting, plan_value
from labse_search.ui.strings import text
from labse_search.ui.uploads import KEEP_SECONDS, MAX_BYTES, MAX_FILES, discard, received, sweep
from labse_search.ui.values import indexing

SWEEP_SECONDS = 3600.0


class AddingHandlers:
    """What the Add tab does. Any thread may call, for any collection."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context
        self.waiting = Waiting()
        self._swept = 0.0

    def drop(self, collection: str, *, plan: Preflight | None = None, message: str = "", folder: str = "") -> Value:
        """The value of the drop zone, with a plan to look at if there is one, and the folder that it is of, if that can
        be watched."""
        megabytes = self.context.settings.max_file_mb
        limits = {"mb": megabytes, "file_bytes": megabytes << 20, "files": MAX_FILES, "bytes": MAX_BYTES}
        value: Value = {"limits": limits, "local": self.context.local, "message": message, "nonce": time.time_ns()}
        if plan is not None:
            value["plan"] = plan_value(plan, self.waiting.put(collection, plan)) | {"folder": folder}
        return value

    def stage(self, collection: str, event: Event) -> Value:
        """Files were uploaded: look at them."""

        def look() -> Value:
            entries = event.events("files")
            most = self.context.settings.max_file_mb << 20
            large = [(one.text("name"), one.number("size", 1 << 60) or 0) for one in entries if not one.has("upload")]
            sent = [(one.text("upload"), one.text("name")) for one in entries if one.has("upload")]
            before = self._before(collection, event)
            names = [source.name for source in before.new]
            sources, refused = received(sent, self.context.uploads, names)
            rate = self.context.rate(collection)
            plan = preflight(self.context.library, collection, sources, max_file_bytes=most, rate=rate)
            plan = plan.without({document_id(Path(source.path)) for source in before.new})
            discard([*plan.already, *plan.unsupported])
            merged = replace(
                plan,
                too_large=(*plan.too_large, *large),
                refused=(*plan.refused, *refused),
                failed=event.number("failed") or 0,
            )
            return self.drop(collection, plan=before.and_then(merged))

        return self._dropped(look, collection)

    def check_path(self, collection: str, event: Event) -> Value:
        """A path of this computer: look at what lies there, where only this computer can ask."""

        def look() -> Value:
            given = event.text("place")
            if not self.context.local:
                raise UserError(text("path_missing"))
            path = Path(given).expanduser()
            if not path.is_absolute():
                raise UserError(text("path_relative"))
            if not path.exists():
                raise UserError(text("path_missing"))
            sources = walk([path], self.context.library, collection)
            if len(sources) > MAX_FILES:
                raise UserError(text("too_many", n=MAX_FILES))
            most = self.context.settings.max_file_mb << 20
            before, rate = self._before(collection, event), self.context.rate(collection)
            plan = preflight(self.context.library, collection, sources, max_file_bytes=most, rate=rate)
            watchable = self.context.watching is not None and path.is_dir()
            return self.drop(collection, plan=before.and_then(plan), folder=str(path) if watchable else "")

        return self._dropped(look, collection)

    def _before(self, collection: str, event: Event) -> Preflight:
        """The plan that is on the page already, for the same collection: what comes now is added to it."""
        taken = self.waiting.take(event.text("token"))
        if taken is None or taken[0] != collection:
            return Preflight(new=())
        return taken[1]

    def start(self, collection: str, event: Event) -> Value:
        """Make a job of the plan that the event names. What the drop zone shows then."""

        def begin() -> Value:
            taken = self.waiting.take(event.text("token"))
            if taken is None:
                raise UserError(text("stale"))
            where, plan = taken
            self.context.library.add_index_job(where, self.context.model_of(where), [*plan.new, *plan.passed_over])
            self.context.wake()
            return self.drop(collection)

        return self._dropped(begin, collection)

    def discard(self, collection: str, event: Event) -> Value:
        """Forget the plan and the files that were uploaded for it."""

        def forget() -> Value:
            taken = self.waiting.take(event.text("token"))
            if taken is not None:
                discard(taken[1].new)
            return self.drop(collection)

        return self._dropped(forget, collection)

    def _dropped(self, act: Callable[[], Value], collection: str) -> Value:
        return guarded(act, lambda *failed: self.drop(collection, message=sentence(*failed)))

    def tick(self, collection: str) -> tuple[Value, Value]:
        """(header, jobs), looked up every second while somebody looks at the page."""
        self._sweep_now_and_then()

        def look() -> tuple[Value, Value]:
            jobs = self.shared.jobs.rows(collection)
            if indexing(jobs):
                self.context.wake()  # a worker that died is replaced
            return self.shared.status.header(collection, jobs), self.shared.jobs.value(collection, jobs)

        def failed(message: str, reference: str) -> tuple[Value, Value]:
            problem = sentence(message, reference)
            return {"collection": collection, "collections": [collection], "problem": problem}, {
                "collection": collection,
                "jobs": [],
            }

        return guarded(look, failed)

    def request(self, collection: str, event: Event) -> tuple[Value, Value]:
        """Pause a job, cancel it or let it go on. What header and jobs show then."""
        ask_job(self.context, event)
        return self.tick(collection)

    def _sweep_now_and_then(self) -> None:
        if time.monotonic() - self._swept < SWEEP_SECONDS and self._swept:
            return
        self._swept = time.monotonic()
        library = self.context.library
        jobs = [job for job in library.jobs(limit=1000) if job.state in (*UNFINISHED, "failed")]  # failed: retried
        waiting = [file.source.path for job in jobs for file in library.job_files(job.id, outcomes=("", "failed"))]
        sweep(self.context.uploads, [*waiting, *self.waiting.paths()], older_than_seconds=KEEP_SECONDS)
