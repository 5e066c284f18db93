"""Recall, MRR, nDCG and average precision of ranked documents (numpy only).

Input everywhere: `gains` (queries, depth), the gain of the document at each rank, 0 for irrelevant, and `ideal`
(queries, any), all gains a query could have had, best first, padded with 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

Floats = NDArray[np.float64]


def rank_documents(scores: Vectors, depth: int) -> NDArray[np.int64]:
    """(queries, depth) columns of `scores` (queries, documents), best first; equal scores by lower column first."""
    documents = scores.shape[1]
    depth = min(depth, documents)
    if depth == documents:
        return np.argsort(-scores, axis=1, kind="stable")
    bound = -np.partition(-scores, depth - 1, axis=1)[:, depth - 1, None]
    # Of those that tie at the bound the lowest columns stay: the rest is pushed below everything.
    tied = scores == bound
    spare = depth - np.count_nonzero(scores > bound, axis=1, keepdims=True)
    inside = (scores > bound) | (tied & (np.cumsum(tied, axis=1) <= spare))
    columns = np.nonzero(inside)[1].reshape(len(scores), depth)
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def success(gains: NDArray[Any], k: int) -> Floats:
    """(queries,): 1 where a relevant document is among the first k. R@1 of XQuAD-R and "accuracy@k" are this."""
    return np.asarray((gains[:, :k] > 0).any(axis=1), dtype=np.float64)


def recall(gains: NDArray[Any], ideal: NDArray[Any], k: int) -> Floats:
    """(queries,): the share of a query's relevant documents that is among the first k."""
    return np.asarray((gains[:, :k] > 0).sum(axis=1) / np.maximum((ideal > 0).sum(axis=1), 1), dtype=np.float64)


def reciprocal_rank(gains: NDArray[Any], k: int | None = None) -> Floats:
    """(queries,): 1 / rank of the first relevant document, 0 if it is not among the first k."""
    relevant = gains[:, :k] > 0
    found = np.where(relevant.any(axis=1), 1 / (1 + relevant.argmax(axis=1)), 0.0)
    return np.asarray(found, dtype=np.float64)


def ndcg(gains: NDArray[Any], ideal: NDArray[Any], k: int) -> Floats:
    """(queries,): discounted gain over the best possible one (Järvelin & Kekäläinen 2002, discount log2(rank + 1))."""
    best = _discounted(ideal, k)
    return np.asarray(_discounted(gains, k) / np.where(best > 0, best, 1), dtype=np.float64)


def average_precision(gains: NDArray[Any], ideal: NDArray[Any]) -> Floats:
    """(queries,): mean of the precision at each relevant document, over all relevant documents."""
    relevant = gains > 0
    precision = np.cumsum(relevant, axis=1) / np.arange(1, gains.shape[1] + 1)
    return np.asarray((precision * relevant).sum(axis=1) / np.maximum((ideal > 0).sum(axis=1), 1), dtype=np.float64)


def _discounted(gains: NDArray[Any], k: int) -> Floats:
    gains = np.asarray(gains[:, :k], dtype=np.float64)
    return np.asarray((gains / np.log2(np.arange(2, gains.shape[1] + 2))).sum(axis=1), dtype=np.float64)
