"""An encoder that encodes each text once: test sets share their English side, and tasks their paragraphs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from labse_search.encoder import Encoder, Task
from labse_search.encoder.texts import Progress, encode_texts
from labse_search.progress import ProgressLine
from labse_search.similarity import Vectors


class EmbeddingCache:
    """Encodes texts of any length (cut to the window) and keeps their vectors; counts the texts and the seconds."""

    def __init__(self, encoder: Encoder, *, progress: Progress | None = None) -> None:
        self.encoder = encoder
        self.seconds = 0.0
        self._progress = progress or ProgressLine("encode")
        self._rows: dict[tuple[Task, str], int] = {}
        self._vectors = np.empty((0, encoder.dimension), dtype=np.float32)

    @property
    def encoded(self) -> int:
        """How many texts."""
        return len(self._rows)

    def prepare(self, texts: Sequence[str], task: Task = "text") -> None:
        """Encode what is new among these, all at once: much faster than in small portions."""
        new = [text for text in dict.fromkeys(texts) if (task, text) not in self._rows]
        if not new:
            return
        started = time.monotonic()
        vectors = encode_texts(self.encoder, new, task, progress=self._progress)
        self.seconds += time.monotonic() - started
        for row, text in enumerate(new, start=len(self._rows)):
            self._rows[task, text] = row
        self._vectors = np.concatenate([self._vectors, vectors]) if len(self._vectors) else vectors

    def vectors(self, texts: Sequence[str], task: Task = "text") -> Vectors:
        """(n, dimension) float32 of length 1."""
        self.prepare(texts, task)
        return self._vectors[[self._rows[task, text] for text in texts]] if len(texts) else self._vectors[:0]

    def facts(self) -> dict[str, str | int | float]:
        """What a report says of the model and of the speed."""
        rate = self.encoded / self.seconds if self.seconds else 0.0
        return {
            "fingerprint": self.encoder.fingerprint[:12],
            "dimension": self.encoder.dimension,
            "texts encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "texts/s": round(rate),
        }
