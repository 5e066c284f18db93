"""What happens with tables of questions. Values in, values out; no gradio here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labse_search.errors import UserError
from labse_search.search.batch import read_questions
from labse_search.search.batch_job import KIND, add_batch_job, read_answers
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, sentence, then_shown
from labse_search.ui.handlers.findings import link
from labse_search.ui.handlers.jobs import ask_job, job_value
from labse_search.ui.strings import text
from labse_search.ui.uploads import received

SHOWN = 8  # jobs listed, the newest
ENDINGS = ("csv", "tsv", "txt")


class BatchHandlers:
    """What the part about tables of questions asks for."""

    def __init__(self, shared: Shared) -> None:
        self.context = shared.context

    def shown(self, collection: str, message: str = "") -> Value:
        """The newest jobs of the collection that answer questions."""

        def look() -> Value:
            jobs = self.context.library.jobs(collection, limit=SHOWN, kinds=(KIND,))
            if any(job.state in ("queued", "running") for job in jobs):
                self.context.wake()  # a worker that died is replaced
            rows = [job_value(job) | {"created": job.created} for job in jobs]
            return {"jobs": rows, "collection": collection, "message": message, "nonce": time.time_ns()}

        return guarded(look, lambda *failed: {"jobs": [], "collection": collection, "message": sentence(*failed)})

    def take_in(self, collection: str, event: Event) -> Value:
        """A table of questions was uploaded: answer it."""

        def begin() -> None:
            sent = [(one.text("upload"), one.text("name")) for one in event.events("files")]
            sources, refused = received(sent[:1], self.context.uploads)
            if refused or not sources:
                raise UserError(text("upload_refused"))
            name = Path(sources[0].name)
            ending = name.suffix.lower().lstrip(".")
            upload = Path(sources[0].path)
            # Read under its own name, so that a sentence about it names the file that the person knows.
            folder = upload.with_name(f"{upload.name}-questions")
            folder.mkdir()
            try:
                table = upload.rename(folder / (name.name if ending in ENDINGS else f"{name.stem[:80]}.csv"))
                questions = read_questions(table)
            finally:
                for left in folder.iterdir():
                    left.unlink()
                folder.rmdir()
            add_batch_job(self.context.library, self.context.store, collection, questions)
            self.context.wake()

        return then_shown(begin, self.shown, collection)

    def request(self, collection: str, event: Event) -> Value:
        """Pause, cancel, or go on with a job."""
        return then_shown(lambda: ask_job(self.context, event), self.shown, collection)

    def rows(self, job: str, address: str) -> list[Mapping[str, Any]]:
        """The answers so far, with links; `address` of the page is their start. UserErrors are raised."""
        collection = self.context.library.job(job).collection
        return [
            {**row, "link": link(address, collection, row["document_id"], row["index"]) if row["document_id"] else ""}
            for row in read_answers(self.context.library, job)
        ]
