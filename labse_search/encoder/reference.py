"""Any other sentence-transformers folder: its own encode, over batches of equal work.

Texts are sorted by their exact number of tokens (sentence-transformers sorts by characters, which over mixed scripts
pads 1.4 × more) and cut into batches by tokens, so that no call runs long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder
from labse_search.encoder.precision import choose_device, set_threads
from labse_search.encoder.stack import batches
from labse_search.encoder.tokens import open_tokenizer
from labse_search.errors import ModelUnavailable
from labse_search.similarity import Vectors, normalize

TOKENS_AT_ONCE = 2048  # padded tokens in one batch


class ReferenceEncoder:
    """sentence-transformers in float32, or bfloat16 where asked for and on a GPU."""

    abreast = 1

    def __init__(self, model: str, folder: ModelFolder, *, precision: str = "auto", threads: int | None = None) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.model = model
        self.tokenizer = open_tokenizer(folder)
        self.languages = folder.languages
        self.fingerprint = fingerprint(folder)
        self.threads = set_threads(threads)
        self.pause: Callable[[], None] | None = None
        device = choose_device()
        self.precision = "bf16" if precision == "bf16" or (precision == "auto" and device == "cuda") else "fp32"
        try:
            self._transformer: Any = SentenceTransformer(str(folder.path), device=device, local_files_only=True)
        except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
            raise ModelUnavailable(
                f"{folder.path} cannot be opened with sentence-transformers: {error}. Copy or download the model again."
            ) from error
        self._transformer = self._transformer.bfloat16() if self.precision == "bf16" else self._transformer.float()
        self.dimension = int(self._transformer.encode(["."], show_progress_bar=False).shape[1])

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        return f"sentence-transformers on {self._transformer.device}, {self.precision}, {self.threads} threads"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        _, lengths = self.tokenizer.flat_ids(texts)
        for rows in batches(lengths, TOKENS_AT_ONCE):
            if self.pause is not None:
                self.pause()
            part = [texts[row] for row in rows]
            found = self._transformer.encode(
                part, batch_size=len(part), convert_to_tensor=True, show_progress_bar=False
            )
            vectors[rows] = found.float().cpu().numpy()
        return normalize(vectors)
