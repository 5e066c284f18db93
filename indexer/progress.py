"""How far a job is: its rate and what is left, written to the ledger and told to whoever runs it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from indexer.job import Job
from labse_search.library import JobRow

REPORT_SECONDS = 0.5
RATES = 64  # reports over which the rate is a mean: half a minute, in which slow models end several batches


class Progress:
    """Used by the job's own thread alone. Made when the job begins or goes on."""

    def __init__(self, job: Job, report: Callable[[JobRow], None]) -> None:
        self._job = job
        self._report = report
        self._rates: deque[tuple[float, int]] = deque(maxlen=RATES)
        self._started = time.monotonic()
        self._bytes_before = job.library.job(job.id).bytes_done

    def tell(self, stored: int, current: str) -> None:
        """`stored`: segments of the job so far; `current`: the title of a document at work. Rarely costs anything."""
        now = time.monotonic()
        if self._rates and now - self._rates[-1][0] < REPORT_SECONDS:
            return
        self._rates.append((now, stored))
        seconds = now - self._rates[0][0]
        rate = (stored - self._rates[0][1]) / seconds if seconds > 0 else 0.0
        row = self._job.library.job(self._job.id)
        done = row.bytes_done - self._bytes_before
        left = (row.bytes - row.bytes_done) * (now - self._started) / done if done > 0 else None
        self._job.library.ledger.jobs.set(self._job.id, segments=stored, rate=rate, seconds_left=left, current=current)
        self._report(self._job.library.job(self._job.id))
