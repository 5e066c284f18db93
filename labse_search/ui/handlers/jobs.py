"""What the parts of the page do with their jobs in the same way."""

from __future__ import annotations

from typing import cast, get_args

from indexer.reembed import add_reembed_job
from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import find_model
from labse_search.library import Action, JobRow
from labse_search.teach.tuning import forget_cancelled
from labse_search.ui.context import AppContext
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Value


def job_value(job: JobRow) -> Value:
    """What a line about a job shows (labse.jobLine)."""
    keys = ("id", "kind", "state", "files", "files_done", "segments", "share", "seconds_left", "current", "error")
    return {key: getattr(job, key) for key in keys} | {"requested": job.requested}


def ask_job(context: AppContext, event: Event) -> None:
    """Let the event's job pause, be cancelled, or go on ("")."""
    job, action = event.text("job"), event.text("action")
    if job and action in get_args(Action):
        context.library.ask(job, cast(Action, action))
        if action == "cancel":
            forget_cancelled(context.library)
        context.wake()


def newest_job(context: AppContext, collection: str, kind: str) -> Value | None:
    """The newest job of this kind, and nothing of one that was done or cancelled."""
    jobs = context.library.jobs(collection, limit=1, kinds=(kind,))
    if not jobs or jobs[0].state in ("done", "cancelled"):
        return None
    if jobs[0].state in ("queued", "running"):
        context.wake()  # a worker that died is replaced
    return job_value(jobs[0])


def embed_again(context: AppContext, collection: str, model: str) -> None:
    """Begin a job that builds the collection's next generation by this model. UserError where it is not here."""
    digest = fingerprint(read_folder(find_model(model)))
    if add_reembed_job(context.library, collection, model=model, fingerprint=digest) is not None:
        context.wake()
