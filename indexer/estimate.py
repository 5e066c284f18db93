"""How long indexing will take: the passages to expect of files, and how many a second a model embeds here."""

from __future__ import annotations

import time
from collections.abc import Iterable

from labse_search.encoder import Encoder
from labse_search.library import Library, Source

LEAST_SECONDS, LEAST_PASSAGES = 10.0, 200  # of a job; a smaller one says more about starting than about speed
LEAST_BYTES = 100_000  # of a kind in the library, before they say more than what is usual
# Bytes a passage, in the sample collection: formats that pack or draw need more than text.
USUAL = {
    "pdf": 7000,
    "pptx": 1800,
    "docx": 650,
    "epub": 650,
    "rtf": 700,
    "odt": 400,
    "html": 400,
    "csv": 140,
    "srt": 130,
}
USUAL_OTHER = 250
PROBE = 64  # passages, of the usual length:
PASSAGE = (
    "A passage of about the usual length: two or three sentences, as they stand in letters, reports and notes. It is "
    "long enough to say something, and short enough to be read at a glance; that is what a model sees, time and again."
)


def expected_passages(library: Library, sources: Iterable[Source]) -> int:
    """How many passages the files will probably make: as many as files of their kind made before, else the usual."""
    known = library.ledger.documents.bytes_and_segments()
    expected = 0.0
    for source in sources:
        kind = source.name.rpartition(".")[2].lower()
        size, segments = known.get(kind, (0, 0))
        learned = size >= LEAST_BYTES and segments
        expected += source.size / (size / segments if learned else USUAL.get(kind, USUAL_OTHER))
    return round(expected) if expected >= 1 else int(expected > 0)


def measured_rate(library: Library, model: str) -> float | None:
    """Passages a second of the latest finished job of this model that took long enough to tell; None without one."""
    for job in library.jobs(limit=20):
        seconds = (job.finished or 0.0) - (job.started or 0.0)
        if job.state == "done" and job.model == model and seconds >= LEAST_SECONDS and job.segments >= LEAST_PASSAGES:
            return job.segments / seconds
    return None


def probed_rate(encoder: Encoder) -> float:
    """Passages a second, measured now: a few first, which may be enough of a slow model, then more."""
    rate = 0.0
    for count in (PROBE // 16, PROBE):
        texts = [f"{PASSAGE} {number}" for number in range(count)]
        encoder.encode(texts[:2])
        started = time.perf_counter()
        encoder.encode(texts)
        seconds = time.perf_counter() - started
        rate = count / seconds
        if seconds > 0.25:
            break
    return rate
