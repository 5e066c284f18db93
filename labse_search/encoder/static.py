"""Static models: the mean of the tokens' vectors, made length 1. numpy only, so that the page starts without torch.

The table is mapped from the file and its rows are read as they are needed; sums are float32 even where the file is
half precision, which is closer to the exact mean than sentence-transformers' own half-precision arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import TokenVectors
from labse_search.encoder.fingerprint import fingerprint
from labse_search.encoder.folder import ModelFolder
from labse_search.encoder.mapped import MappedFile
from labse_search.encoder.tokens import open_tokenizer, tokens_by_text
from labse_search.similarity import Vectors, normalize

TEXTS_AT_ONCE = 1024  # about 15 ms of work: nobody waits long for the interpreter
_TABLES = ("embedding.weight", "embeddings")  # sentence-transformers' name, model2vec's name


class StaticEncoder:
    """A StaticEmbedding folder. A text without any token ("" only) gets the vector of the unknown token."""

    precision = "fp32"
    abreast = 1

    def __init__(self, model: str, folder: ModelFolder) -> None:
        self.model = model
        self.tokenizer = open_tokenizer(folder)
        self.languages = folder.languages
        self.fingerprint = fingerprint(folder)
        file = MappedFile(folder.first.folder / "model.safetensors")
        self._table = file.array(next((name for name in _TABLES if name in file.tensors), _TABLES[0]))
        self.dimension = int(self._table.shape[1])
        self.pause: Callable[[], None] | None = None

    @functools.cached_property
    def _unknown(self) -> int:
        return self.tokenizer.unknown_id()

    def describe(self) -> str:
        """How this encoder computes, in one line."""
        return f"static table {self._table.shape[0]} × {self.dimension} {self._table.dtype}, sums in float32, numpy"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, length 1. A text longer than the window is a ValueError."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            if self.pause is not None:
                self.pause()
            part = texts[start : start + TEXTS_AT_ONCE]
            vectors[start : start + len(part)] = self._means(part)
        return normalize(vectors)

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Every token's row of the table: its length is its weight in the mean."""
        ids, lengths = self.tokenizer.flat_ids(texts)
        used, rows_of = np.unique(ids, return_inverse=True)
        rows = self._table[used].astype(np.float32)
        weights = np.linalg.norm(rows, axis=1)
        directions = rows / np.maximum(weights, 1e-6)[:, None]
        return tokens_by_text(directions, weights, rows_of, lengths)

    def _means(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids, lengths = self.tokenizer.flat_ids(texts)
        # Frequent tokens are read and widened once. A sum per text in a loop is 8 × faster than np.add.reduceat.
        used, rows_of = np.unique(ids, return_inverse=True)
        rows = self._table[used].astype(np.float32)
        means = np.empty((len(texts), self.dimension), dtype=np.float32)
        start = 0
        for n, length in enumerate(lengths.tolist()):
            if length:
                np.add.reduce(rows.take(rows_of[start : start + length], axis=0), axis=0, out=means[n])
                means[n] /= length
            else:
                means[n] = self._table[self._unknown]
            start += length
        return means


def fits(folder: ModelFolder) -> bool:
    """Is it a static table that this module computes exactly? Other stacks are left to sentence-transformers."""
    if folder.first.kind != "StaticEmbedding" or set(folder.kinds[1:]) - {"Normalize"}:
        return False
    path = folder.first.folder / "model.safetensors"
    if not path.is_file() or not (folder.first.folder / "tokenizer.json").is_file():
        return False
    tensors = MappedFile(path).tensors
    # model2vec folders with a mapping or weights per token need folding first
    return any(name in tensors for name in _TABLES) and not {"mapping", "weights"} & set(tensors)
