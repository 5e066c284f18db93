"""An encoder that encodes each text once: test sets share their English side, and tasks their paragraphs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from labse_search.encoder import Encoder
from labse_search.mine.encode import Progress, encode_texts
from labse_search.mine.progress import ProgressLine
from labse_search.similarity import Vectors


class Remembering:
    """Encodes texts of any length (cut to the window) and keeps their vectors. Counts what it encoded and how long."""

    def __init__(self, encoder: Encoder, *, progress: Progress | None = None) -> None:
        self.encoder = encoder
        self.seconds = 0.0
        self._progress = progress or ProgressLine("encode")
        self._rows: dict[str, int] = {}
        self._vectors = np.empty((0, encoder.dimension), dtype=np.float32)

    @property
    def encoded(self) -> int:
        return len(self._rows)

    def prepare(self, texts: Sequence[str]) -> None:
        """Encode what is new among these, all at once: much faster than in small portions."""
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if not new:
            return
        started = time.monotonic()
        vectors = encode_texts(self.encoder, new, progress=self._progress)
        self.seconds += time.monotonic() - started
        for row, text in enumerate(new, start=len(self._rows)):
            self._rows[text] = row
        self._vectors = np.concatenate([self._vectors, vectors]) if len(self._vectors) else vectors

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32 of length 1."""
        self.prepare(texts)
        return self._vectors[[self._rows[text] for text in texts]] if len(texts) else self._vectors[:0]

    def facts(self) -> dict[str, str | int | float]:
        rate = self.encoded / self.seconds if self.seconds else 0.0
        return {
            "fingerprint": self.encoder.fingerprint[:12],
            "dimension": self.encoder.dimension,
            "texts encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "texts/s": round(rate),
        }
