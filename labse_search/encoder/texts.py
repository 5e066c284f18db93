"""Many texts to vectors: each different text once, cut to the model's window, with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labse_search.encoder.protocols import Encoder, Task
from labse_search.similarity import Vectors

Progress = Callable[[int, int], None]  # (done, total)

TEXTS_AT_ONCE = 4096  # between two reports of progress; enough for an encoder to sort by length


def encode_texts(
    encoder: Encoder, texts: Sequence[str], task: Task = "text", *, progress: Progress | None = None
) -> Vectors:
    """(n, dimension) float32 of length 1, in the order of the texts. Texts longer than the window are cut to it."""
    row_of: dict[str, int] = {}
    rows = np.array([row_of.setdefault(text, len(row_of)) for text in texts], dtype=np.int64)
    distinct = list(row_of)
    vectors = np.empty((len(distinct), encoder.dimension), dtype=np.float32)
    for start in range(0, len(distinct), TEXTS_AT_ONCE):
        block = fit_window(encoder, distinct[start : start + TEXTS_AT_ONCE])
        vectors[start : start + len(block)] = encoder.encode(block, task)
        if progress:
            progress(start + len(block), len(distinct))
    return vectors if len(distinct) == len(texts) else vectors[rows]


def fit_window(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """The texts, those that exceed the model's window cut where its last whole token ends."""
    fitted, window = list(texts), encoder.tokenizer.max_tokens
    # Hardly a token is shorter than half a character, so short texts need no count.
    long = [row for row, text in enumerate(fitted) if 2 * len(text) + 2 > window]
    counts = encoder.tokenizer.count([fitted[row] for row in long])
    for row, count in zip(long, counts, strict=True):
        if count > window:
            fitted[row] = _cut(encoder, fitted[row])
    return fitted


def _cut(encoder: Encoder, text: str) -> str:
    ends = [end for _, end in encoder.tokenizer.offsets(text)]
    tokens = len(ends) - 1
    while tokens > 0:
        # A cut text can fall into other tokens than it had as part of a longer one, so the count decides.
        cut = text[: ends[tokens - 1]]
        excess = encoder.tokenizer.count([cut])[0] - encoder.tokenizer.max_tokens
        if excess <= 0:
            return cut
        tokens -= excess
    raise ValueError(f"no part of {text[:60]!r} fits into {encoder.tokenizer.max_tokens} tokens")
