"""Is the translation the nearest sentence? Vectors of aligned sentences in, accuracy and reciprocal rank out.

numpy only. One rule for ties everywhere: scores closer than TIE count as equal, and the lower index wins, as argmax
has it. A model that gives every text the same vector therefore scores 1/n and not 100 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

TIE = 3e-7  # float32 dot products of the same two unit vectors differ by about this, depending on their block
QUERY_ROWS = 1024
POOL_ROWS = 4096  # 1,024 × 4,096 float32 scores are 16 MB: they fit into the cache


@dataclass(frozen=True)
class PairAccuracy:
    """Accuracies and mean reciprocal ranks in 0..1. Forward: a source looks for its target."""

    pairs: int
    forward: float
    backward: float
    mrr_forward: float
    mrr_backward: float
    forward_ranks: Integers  # (pairs,) from 1: for a bootstrap, or for reading what went wrong
    backward_ranks: Integers

    @property
    def mean(self) -> float:
        """Of both directions."""
        return (self.forward + self.backward) / 2

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank of both directions."""
        return (self.mrr_forward + self.mrr_backward) / 2

    def hits(self) -> Floats:
        """Per pair the share of the two directions in which the partner came first (0, 0.5 or 1)."""
        return np.asarray((self.forward_ranks == 1).astype(np.float64) + (self.backward_ranks == 1)) / 2


@dataclass(frozen=True)
class Interval:
    """A mean difference and the interval that holds it with probability `confidence`."""

    difference: float
    low: float
    high: float
    confidence: float = 0.95

    @property
    def is_gain(self) -> bool:
        """Whether all of it lies above 0."""
        return self.low > 0

    @property
    def is_loss(self) -> bool:
        """Whether all of it lies below 0."""
        return self.high < 0


def pair_accuracy(
    source: Vectors,
    target: Vectors,
    *,
    source_texts: Sequence[str] | None = None,
    target_texts: Sequence[str] | None = None,
) -> PairAccuracy:
    """Row i of `source` (n, dimension) and row i of `target` mean the same; every row is a candidate for every other.

    With the texts, equal texts are one candidate: finding another copy of the right text is right (as
    sentence-transformers' TranslationEvaluator counts). Without them every row stands for itself (as LASER counts).
    """
    if source.shape != target.shape:
        raise ValueError(f"source has shape {source.shape} and target {target.shape}, expected the same")
    forward = _ranks_among(source, target, target_texts)
    backward = _ranks_among(target, source, source_texts)
    return PairAccuracy(
        pairs=len(source),
        forward=share(forward == 1),
        backward=share(backward == 1),
        mrr_forward=share(1 / forward),
        mrr_backward=share(1 / backward),
        forward_ranks=forward,
        backward_ranks=backward,
    )


def answer_ranks(queries: Vectors, answers: Vectors, correct: Integers, pool: Iterable[Vectors]) -> Integers:
    """The rank, from 1, of each query's right answer in a pool that streams by.

    `answers` (n, dimension) are the right answers' vectors, `correct` (n,) their rows in the pool, and `pool` yields
    the pool's vectors in order, block by block, so that it need not fit into memory.
    """
    expected = np.einsum("ij,ij->i", queries, answers, dtype=np.float64)  # (n,)
    ranks = np.ones(len(queries), dtype=np.int64)
    start = 0
    for block in pool:
        for first in range(0, len(queries), QUERY_ROWS):
            rows = slice(first, first + QUERY_ROWS)
            ranks[rows] += _ahead(queries[rows] @ block.T, expected[rows], correct[rows] - start)
        start += len(block)
    return ranks


def paired_bootstrap(
    before: NDArray[Any],
    after: NDArray[Any],
    *,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The mean of `after` − `before` over the same items, with its percentile interval by resampling items.

    `before`, `after` (n,): a score of each item under two models, for example right or wrong.
    """
    if len(before) != len(after) or not len(before):
        raise ValueError(f"{len(before)} scores before and {len(after)} after, expected as many and at least one")
    differences = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    # A resample is fixed by how often each distinct difference is drawn: few for right-or-wrong, so one draw is cheap.
    values, counts = np.unique(differences, return_counts=True)
    generator = np.random.default_rng(seed)
    n = len(differences)
    drawn = np.array([generator.multinomial(n, counts / n) @ values / n for _ in range(samples)])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(differences.mean()), float(low), float(high), confidence)


def row_blocks(vectors: Vectors, rows: int = POOL_ROWS) -> Iterator[Vectors]:
    """The rows, `rows` at a time."""
    for start in range(0, len(vectors), rows):
        yield vectors[start : start + rows]


def share(values: NDArray[Any]) -> float:
    """The mean, 0 for nothing."""
    return float(np.mean(values)) if len(values) else 0.0


def _ranks_among(queries: Vectors, pool: Vectors, texts: Sequence[str] | None) -> Integers:
    correct = np.arange(len(queries), dtype=np.int64)
    if texts is None:
        return answer_ranks(queries, pool, correct, row_blocks(pool))
    if len(texts) != len(pool):
        raise ValueError(f"{len(texts)} texts for {len(pool)} vectors")
    row_of: dict[str, int] = {}
    correct = np.array([row_of.setdefault(text, len(row_of)) for text in texts], dtype=np.int64)
    _, first = np.unique(correct, return_index=True)
    distinct = pool[first]
    return answer_ranks(queries, distinct[correct], correct, row_blocks(distinct))


def _ahead(scores: Vectors, expected: Floats, correct: Integers) -> Integers:
    """How many columns of `scores` (n, m) come before column `correct` (may lie outside) that scored `expected`."""
    above = scores > (expected + TIE).astype(np.float32)[:, None]
    tied = (scores >= (expected - TIE).astype(np.float32)[:, None]) & ~above
    within = (correct >= 0) & (correct < scores.shape[1])
    above[np.flatnonzero(within), correct[within]] = False  # never ahead of itself, however it is rounded
    rows, columns = np.nonzero(tied)
    earlier = rows[columns < correct[rows]]
    counts: Integers = np.count_nonzero(above, axis=1) + np.bincount(earlier, minlength=len(scores))
    return counts
