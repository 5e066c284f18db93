"""One side of an alignment: its sentences, and the vectors of every one to four of them that stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import Encoder
from labse_search.encoder.texts import Progress, encode_texts
from labse_search.similarity import Vectors, normalize

MOST_JOINED = 4
# How much of a join's vector is the mean of its sentences' vectors, which is steadier than the model's own vector of a
# text longer than those it was trained on. On Text+Berg F1 is alike from 0.5 to 0.7 and lower at both ends.
SHARE_OF_MEAN = 0.6
# Sentences whose mean we don't know yet: so few have a mean that says more of them than of their text.
UNKNOWN = 5


@dataclass(frozen=True)
class Side:
    """`joins[i, k]` is the vector of sentences i to i + k, length 1 (0 where the text ends before)."""

    joins: Vectors  # (n, MOST_JOINED, dimension)
    lengths: NDArray[np.float64]  # (n + 1,) characters before each sentence, and of all

    def __len__(self) -> int:
        return len(self.joins)


def make_sides(
    encoder: Encoder, source: Sequence[str], target: Sequence[str], *, progress: Progress | None = None
) -> tuple[Side, Side]:
    """Both sides of an alignment. Neither may be empty."""
    texts = [_joined(sentences) for sentences in (source, target)]
    sizes = [sum(map(len, rows)) for rows in texts]
    flat = [text for rows in texts for row in rows for text in row]
    vectors = encode_texts(encoder, flat, progress=progress)
    halves = vectors[: sizes[0]], vectors[sizes[0] :]
    return _side(halves[0], source), _side(halves[1], target)


def _joined(sentences: Sequence[str]) -> list[list[str]]:
    """The texts of one sentence, of two neighbouring ones, and so on; a list each."""
    return [
        [" ".join(sentences[i : i + k]) for i in range(len(sentences) - k + 1)]
        for k in range(1, min(MOST_JOINED, len(sentences)) + 1)
    ]


def _side(vectors: Vectors, sentences: Sequence[str]) -> Side:
    """What the model finds in all sentences of a text, its language above all, is taken out of every vector: what
    tells them apart is left (the mean subtracted from e5's vectors, which lie in a narrow cone, gains a point of F1).
    """
    n = len(sentences)
    common = vectors[:n].mean(axis=0) * (n / (n + UNKNOWN))
    vectors = normalize(vectors - common)
    # A long sentence weighs more in the mean, as it does in the model's own vector of the whole.
    weights = np.sqrt([max(len(sentence), 1) for sentence in sentences])
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors[:n] * weights[:, None], axis=0)])
    joins = np.zeros((n, MOST_JOINED, vectors.shape[1]), dtype=np.float32)
    at = 0
    for k in range(1, min(MOST_JOINED, n) + 1):
        rows = n - k + 1
        means = normalize(sums[k:] - sums[:-k])
        joins[:rows, k - 1] = normalize((1 - SHARE_OF_MEAN) * vectors[at : at + rows] + SHARE_OF_MEAN * means)
        at += rows
    lengths = np.concatenate([[0.0], np.cumsum([len(sentence) for sentence in sentences], dtype=np.float64)])
    return Side(joins, lengths)
