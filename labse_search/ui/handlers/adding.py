"""What happens in the tab where documents are added, and with its jobs. Values in, values out; no gradio here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from indexer.estimate import expected_passages
from indexer.preflight import Preflight, preflight
from indexer.sources import walk
from labse_search.errors import UserError
from labse_search.library import document_id
from labse_search.library.jobs import UNFINISHED
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence
from labse_search.ui.handlers.jobs import ask_job
from labse_search.ui.plan import Waiting, WaitingPlan, plan_value
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

    def drop(self, message: str = "", token: str = "") -> Value:
        """The value of the drop zone, with the plan of this token to look at, if it is still waiting."""
        megabytes = self.context.settings.max_file_mb
        limits = {"mb": megabytes, "file_bytes": megabytes << 20, "files": MAX_FILES, "bytes": MAX_BYTES}
        value: Value = {"limits": limits, "local": self.context.local, "message": message, "nonce": time.time_ns()}
        waiting = self.waiting.find(token)
        return value if waiting is None else value | {"plan": plan_value(waiting, token)}

    def stage(self, collection: str, event: Event) -> Value:
        """Files were uploaded: look at them."""

        def look(before: Preflight) -> tuple[Preflight, str]:
            entries = event.events("files")
            most = self.context.settings.max_file_mb << 20
            large = [(one.text("name"), one.number("size", 1 << 60) or 0) for one in entries if not one.has("upload")]
            names = [source.name for source in before.new]
            sources, refused = received(_sent(event), self.context.uploads, names)
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
            return merged, ""

        return self._added(look, collection, event)

    def check_path(self, collection: str, event: Event) -> Value:
        """A path of this computer: look at what lies there, where only this computer can ask."""

        def look(before: Preflight) -> tuple[Preflight, str]:
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
            there = {one.path for one in (*before.new, *before.already, *before.unsupported, *before.passed_over)}
            sources = [source for source in sources if source.path not in there]  # a path may be checked twice
            most, rate = self.context.settings.max_file_mb << 20, self.context.rate(collection)
            plan = preflight(self.context.library, collection, sources, max_file_bytes=most, rate=rate)
            watchable = self.context.watching is not None and path.is_dir()
            return plan, str(path) if watchable else ""

        return self._added(look, collection, event)

    def _added(self, look: Callable[[Preflight], tuple[Preflight, str]], collection: str, event: Event) -> Value:
        """The plan that is on the page already, if there is one, and what `look` finds to add to it, with a folder that
        can be watched."""

        def add() -> Value:
            with self.waiting.taken(event.text("token")) as before:
                if before is not None and before.collection != collection:
                    discard(received(_sent(event), self.context.uploads)[0])
                    raise UserError(text("plan_elsewhere", name=before.collection))
                found, folder = look(before.plan if before else Preflight(new=()))
                if before is not None:
                    found, folder = before.plan.and_then(found), folder or before.folder
            return self.drop(token=self.waiting.put(WaitingPlan(collection, found, folder)))

        return self._dropped(add, event)

    def start(self, collection: str, event: Event) -> Value:
        """Make a job of the plan that the event names. What the drop zone shows then."""

        def begin() -> Value:
            with self.waiting.taken(event.text("token")) as taken:
                if taken is None:
                    raise UserError(text("stale"))
                where, sources = taken.collection, [*taken.plan.new, *taken.plan.passed_over]
                self.context.library.add_index_job(where, self.context.model_of(where), sources)
            self.context.wake()
            return self.drop()

        return self._dropped(begin, event)

    def discard(self, collection: str, event: Event) -> Value:
        """Forget the plan and the files that were uploaded for it."""

        def forget() -> Value:
            with self.waiting.taken(event.text("token")) as taken:
                if taken is not None:
                    discard(taken.plan.new)
            return self.drop()

        return self._dropped(forget, event)

    def watched(self, collection: str, event: Event) -> Value:
        """A folder is kept in step from now on: the plan waits on with what does not lie in it."""

        def leave() -> Value:
            with self.waiting.taken(event.text("token")) as taken:
                if taken is None or taken.collection != collection:
                    return self.drop()
                rest = taken.plan.outside(Path(event.text("place")).expanduser().resolve())
                rest = replace(rest, passages=expected_passages(self.context.library, rest.new))
            return self.drop(token=self.waiting.put(WaitingPlan(collection, rest)) if rest.new else "")

        return self._dropped(leave, event)

    def _dropped(self, act: Callable[[], Value], event: Event) -> Value:
        return guarded(act, lambda *failed: self.drop(sentence(*failed), event.text("token")))

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


def _sent(event: Event) -> list[tuple[str, str]]:
    """(upload, name) of the files that have arrived."""
    return [(one.text("upload"), one.text("name")) for one in event.events("files") if one.has("upload")]
