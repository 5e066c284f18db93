"""An indexing job from its start to its end: the collection made ready, its files through the pipeline, what became of
it written down, and what a stopped job left in halves taken out."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from indexer.claims import Claims
from indexer.commit import Committer
from indexer.documents import recover
from indexer.encoding import Encoding
from indexer.generations import finish_switch
from indexer.inspect import Inspector, Reader
from indexer.job import STORE_TRIES, Job, Requested
from indexer.pipeline import Pipeline
from indexer.progress import Progress
from labse_search.encoder import Encoder
from labse_search.errors import StoreUnavailable, UserError
from labse_search.library import JobRow, Library
from labse_search.library.records import JobState
from labse_search.naming import generation_name
from labse_search.records import CollectionSpec
from labse_search.store import Store

log = logging.getLogger("labse_search.jobs")


@dataclass
class Indexer:
    """The resources of jobs. `run` does one job at a time, from the thread that calls it."""

    library: Library
    store: Store
    encoder: Encoder
    reader: Reader
    collection: str
    max_file_bytes: int = 200 << 20
    report: Callable[[JobRow], None] = lambda job: None
    store_tries: int = STORE_TRIES
    wait_for_queries: Callable[[], None] | None = None  # called while texts are encoded: questions go first

    def run(self, job_id: str) -> JobRow:
        """All that is left of the job. Returns its row: done, paused, cancelled, or failed with one sentence."""
        jobs = self.library.ledger.jobs
        row = jobs.get(job_id)
        jobs.set(job_id, state="running", started=row.started or time.time(), finished=None, error="")
        job = Job(job_id, self.collection, self.library, self.store, self.store_tries)
        claims = Claims(job)
        committer = Committer(job, claims, self.encoder, stored=row.segments)
        state: JobState = "failed"
        error = ""
        try:
            self._open(job)
            inspector = Inspector(job, claims, self.reader, max_file_bytes=self.max_file_bytes)
            encoding = Encoding(self.encoder, self.wait_for_queries)
            Pipeline(job, encoding, inspector, committer, Progress(job, self.report)).run()
            self._optimize(job)
            state = "done"
        except Requested as requested:
            state = requested.state
        except (UserError, OSError) as problem:
            error = _sentence(problem)
        except KeyboardInterrupt:
            jobs.set(job_id, state="cancelled", finished=time.time(), current="", seconds_left=None)
            recover(self.library, self.store, self.collection)
            raise
        if state in ("cancelled", "failed"):
            claims.forget_all()  # on a full disk this makes the room to write down that the job failed
        finished = None if state == "paused" else time.time()
        jobs.set(
            job_id, state=state, error=error, finished=finished, segments=committer.stored, current="",
            seconds_left=None,
        )  # fmt: skip
        if state in ("cancelled", "failed"):
            self._take_out_halves(job)
        return jobs.get(job_id)

    def _open(self, job: Job) -> None:
        self.library.ledger.collections.check_store(self.collection, self.store.location)
        self.library.originals.sweep()
        spec = CollectionSpec(self.encoder.dimension, self.encoder.fingerprint, self.encoder.model)
        name = self.collection
        if self.library.ledger.generations.all(name):  # the one that the ledger says, whatever the store's name means
            name = generation_name(name, self.library.ledger.generations.serving(name))
        job.patiently(lambda: self.store.create(name, spec))
        job.patiently(lambda: finish_switch(self.library, self.store, self.collection))
        self.library.ledger.collections.put(
            self.collection, model=spec.model, fingerprint=spec.fingerprint, store=self.store.location
        )
        job.patiently(lambda: recover(self.library, self.store, self.collection))

    def _optimize(self, job: Job) -> None:
        try:
            self.store.optimize(self.collection, stop=job.is_requested)
        except StoreUnavailable as problem:  # every document is durable already; searching is only slower
            log.warning("job %s: %s", job.id, problem)

    def _take_out_halves(self, job: Job) -> None:
        try:
            recover(self.library, self.store, self.collection)
        except UserError as problem:  # why the job failed, most likely: the next job does it
            log.warning("job %s: %s", job.id, problem)


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. What was indexed is safe. Free some space, then press Retry."
    return str(problem)
