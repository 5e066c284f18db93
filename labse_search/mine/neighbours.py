"""The k nearest neighbours of every sentence in the other corpus, exactly, in both directions at once.

The n × m similarities never exist as a whole: they are made block by block, and each block serves its rows (forward)
and its columns (backward). Beside the vectors, memory is one block and k entries a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

Integers = NDArray[np.int64]

SOURCE_ROWS, TARGET_ROWS = 2048, 4096  # 32 MB of float32 a block


@dataclass(frozen=True)
class Nearest:
    """Row i: the neighbours of sentence i, nearest first; equal similarities by lower index first."""

    indices: Integers  # (n, k)
    similarities: Vectors  # (n, k) cosines


@dataclass(frozen=True)
class Neighbours:
    """k is smaller than asked for where the other corpus has fewer sentences."""

    forward: Nearest  # of each source sentence, among the targets
    backward: Nearest  # of each target sentence, among the sources


def find_neighbours(
    source: Vectors,
    target: Vectors,
    k: int,
    *,
    block: tuple[int, int] = (SOURCE_ROWS, TARGET_ROWS),
    progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """`source` (n, dimension) and `target` (m, dimension), float32 of length 1. `progress` counts source rows."""
    if k < 1:
        raise ValueError(f"k is {k}, expected at least 1")
    _check(source, target.shape[1])
    _check(target, source.shape[1])
    forward = _empty(len(source), min(k, len(target)))
    backward = _empty(len(target), min(k, len(source)))
    if not len(source) or not len(target):
        return Neighbours(forward, backward)
    for top in range(0, len(source), block[0]):
        rows = source[top : top + block[0]]
        for left in range(0, len(target), block[1]):
            scores = rows @ target[left : left + block[1]].T  # (source rows, target rows)
            _keep_nearest(forward, scores, top, left)
            _keep_nearest(backward, scores.T, left, top)
        if progress:
            progress(top + len(rows), len(source))
    return Neighbours(forward, backward)


def _keep_nearest(nearest: Nearest, scores: Vectors, first_row: int, first_column: int) -> None:
    """Take what `scores` (rows, columns) holds nearer than what `nearest` has for those rows; blocks come in order."""
    k = nearest.indices.shape[1]
    kept = slice(first_row, first_row + len(scores))
    bound = nearest.similarities[kept, k - 1]
    if np.isfinite(bound).all():
        # After the first block hardly anything passes: comparing costs a tenth of a partition, measured.
        rows, columns = np.nonzero(scores > bound[:, None])
    else:
        place = max(scores.shape[1] - k, 0)
        rows, columns = np.nonzero(scores >= np.partition(scores, place, axis=1)[:, place, None])
    if not len(rows):
        return
    touched, group = np.unique(rows, return_inverse=True)
    held = touched + first_row
    similarities = np.concatenate([nearest.similarities[held].ravel(), scores[rows, columns]])
    indices = np.concatenate([nearest.indices[held].ravel(), columns + first_column])
    groups = np.concatenate([np.repeat(np.arange(len(touched)), k), group])
    order = np.lexsort((indices, -similarities, groups))
    starts = np.searchsorted(groups[order], np.arange(len(touched)))
    best = order[starts[:, None] + np.arange(k)]  # (touched, k): each group has its k old entries at least
    nearest.similarities[held] = similarities[best]
    nearest.indices[held] = indices[best]


def _empty(rows: int, k: int) -> Nearest:
    return Nearest(np.full((rows, k), -1, dtype=np.int64), np.full((rows, k), -np.inf, dtype=np.float32))


def _check(vectors: Vectors, dimension: int, rows_at_once: int = 65536) -> None:
    """A NaN would lose its row without a word, a longer vector would be everyone's neighbour: refuse both."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise ValueError(f"vectors have shape {vectors.shape}, expected (n, {dimension})")
    for start in range(0, len(vectors), rows_at_once):
        lengths = np.linalg.norm(vectors[start : start + rows_at_once], axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1) < 1e-2))
        if len(wrong):
            raise ValueError(f"vector {start + wrong[0]} has length {lengths[wrong[0]]}, expected 1")
