"""The files of one job through: read ∥ segment ∥ encode ∥ store.

Here are only the order and the back-pressure. Files are inspected and kept in one thread (inspect.py), read and
segmented in child processes (sandbox.py), encoded in threads (encoding.py) and written in another one (commit.py), with
short queues between them. A file's outcome is in the ledger as soon as its segments are durable, so a killed job goes
on where it was, in the middle of a document too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from indexer.commit import Committer
from indexer.encoding import Encoding
from indexer.inspect import Inspector
from indexer.intake import Intake
from indexer.job import IncomingSegment, Inspection, Job
from indexer.progress import Progress
from labse_search.encoder.tokens import Tokenized
from labse_search.library import JobFile

AHEAD = 16  # files inspected before their turn: keeps the readers busy, bounds the memory
CHECK_SECONDS = 0.25  # about how long a pause or a cancel has to wait
WRITES = 2  # batches that wait to be stored, beside those that are being encoded

T = TypeVar("T")


class Pipeline:
    """One run of a job, in the job's own thread: what is handed to the others, and when it waits for them."""

    def __init__(
        self, job: Job, encoding: Encoding, inspector: Inspector, committer: Committer, progress: Progress
    ) -> None:
        self._job = job
        self._inspector = inspector
        self._committer = committer
        self._progress = progress
        self._encoding = encoding
        self._intake = Intake(job, committer, self._result)
        self._inspections: deque[Future[Inspection]] = deque()
        self._segments: deque[IncomingSegment] = deque()  # they wait to be encoded
        self._writes: deque[Future[None]] = deque()

    def run(self) -> None:
        """Until no file is left. Raises what a step raised, or Requested for a pause or a cancel; what was begun is
        written before."""
        files = deque(self._job.library.job_files(self._job.id, outcomes=("",)))
        with self._threads() as (looker, writer):
            while files or self._inspections:
                self._job.check_requested()
                while files and len(self._inspections) < AHEAD:
                    self._inspections.append(looker.submit(self._inspector.inspect, files.popleft()))
                self._take(self._result(self._inspections.popleft()), writer)
                self._encode(writer, at_least=self._encoding.batch)
                if not files and not self._inspections:
                    self._encode(writer, at_least=1)
                    self._await_writes(0)
                    files.extend(self._to_inspect_again())

    @contextmanager
    def _threads(self) -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
        """The inspector's thread and the writer's. When they end, for whatever reason, what was begun is finished."""
        with ThreadPoolExecutor(1, "inspect") as looker, ThreadPoolExecutor(1, "write") as writer, self._encoding:
            try:
                yield looker, writer
            finally:
                for inspection in self._inspections:
                    inspection.cancel()
                self._encoding.stop()
                while self._writes:
                    self._writes.popleft().result()

    def _to_inspect_again(self) -> Iterator[JobFile]:
        while self._committer.again:
            yield self._committer.again.popleft()

    # ---- waiting, and what the person asks for meanwhile

    def _result(self, future: Future[T]) -> T:
        """What the future brings, which may take minutes for a large file, unless the person asks for something."""
        while not self._wait_a_moment(future):
            pass
        return future.result()

    def _wait_a_moment(self, future: Future[T]) -> bool:
        """Is it done? Waits a moment; meanwhile the person may ask for something."""
        wait([future], CHECK_SECONDS)
        if not future.done():
            self._tell()
            self._job.check_requested()
        return future.done()

    def _tell(self) -> None:
        self._progress.tell(self._committer.stored, self._committer.current())

    # ---- what is handed on

    def _take(self, file: Inspection, writer: ThreadPoolExecutor) -> None:
        """Queue the segments of a file, or have written down why there are none."""
        segments = self._intake.segments(file)
        if segments is None:
            self._writes.append(writer.submit(self._committer.conclude, file))
        elif segments and segments[0].segment is None:
            self._writes.append(writer.submit(self._committer.store, segments, None))
        else:
            self._segments.extend(segments)

    def _encode(self, writer: ThreadPoolExecutor, *, at_least: int) -> None:
        """Have so many waiting segments encoded and stored, as many at a time as a batch takes."""
        self._tell()
        encoding = self._encoding
        while len(self._segments) >= max(1, min(at_least, encoding.batch)):
            while (oldest := encoding.oldest()) is not None:
                self._wait_a_moment(oldest)
            batch = [self._segments.popleft() for _ in range(min(encoding.batch, len(self._segments)))]
            texts = _texts([item for item in batch if item.vector is None])
            vectors = encoding.give(texts) if texts else None
            self._writes.append(writer.submit(self._committer.store, batch, vectors))
            self._await_writes(encoding.max_batches + WRITES)
            self._tell()
            self._job.check_requested()

    def _await_writes(self, most: int) -> None:
        """Wait until at most so many writes are under way; raises what a write raised, or encoding before it."""
        while len(self._writes) > most:
            self._result(self._writes[0])
            self._writes.popleft()


def _texts(batch: Sequence[IncomingSegment]) -> Sequence[str]:
    """The texts of segments, with their tokens where all are of one tokenizer."""
    texts = [item.segment.segment.text for item in batch if item.segment is not None]
    tokenizers = {item.document.tokenizer for item in batch}
    return Tokenized(texts, [item.ids for item in batch], tokenizers.pop()) if len(tokenizers) == 1 else texts
