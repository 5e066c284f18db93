"""Which pairs stand out among their neighbours: the margin of Artetxe & Schwenk (2019, arXiv 1811.01136).

    b(x, y) = (mean over the k neighbours of x of cos(x, ·) + mean over the k neighbours of y of cos(y, ·)) / 2
    ratio = cos(x, y) / b     distance = cos(x, y) − b     absolute = cos(x, y)

A sentence that is close to everything ("Yes.") has a high b, so its cosines count for less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from labse_search.mine.neighbours import Integers, Neighbours, find_neighbours
from labse_search.similarity import Vectors

Margin = Literal["ratio", "distance", "absolute"]
Retrieval = Literal["max", "forward", "backward", "intersection"]
Floats = NDArray[np.float64]

MARGINS: tuple[Margin, ...] = get_args(Margin)
RETRIEVALS: tuple[Retrieval, ...] = get_args(Retrieval)
SMALLEST_MEAN = 1e-6  # a neighbourhood at right angles to its sentence


@dataclass(frozen=True)
class Margins:
    """The score of every candidate, in the order of `Neighbours`."""

    forward: Floats  # (n, k)
    backward: Floats  # (m, k)


@dataclass(frozen=True)
class Mined:
    """Pairs of rows, best score first; equal scores by source row, then target row."""

    source: Integers
    target: Integers
    scores: Floats
    cosines: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def keep(self, rows: NDArray[Any]) -> Mined:
        """`rows`: a mask, or indices in ascending order."""
        return Mined(self.source[rows], self.target[rows], self.scores[rows], self.cosines[rows])

    def above(self, threshold: float) -> Mined:
        """The pairs that score `threshold` or more."""
        return self.keep(self.scores >= threshold)


def mine_pairs(
    source: Vectors,
    target: Vectors,
    *,
    k: int = 4,
    margin: Margin = "ratio",
    retrieval: Retrieval = "max",
) -> Mined:
    """The pairs of rows that are each other's best candidates, without a threshold: cut with `Mined.above`.

    `source` (n, dimension), `target` (m, dimension): float32 of length 1, equal texts unified before. Retrieval:
    forward (the best target of each source), backward, intersection (where both agree), or max (the best of both
    directions, greedily, each sentence at most once).
    """
    neighbours = find_neighbours(source, target, k)
    return retrieve(neighbours, margins(neighbours, margin), retrieval)


def margins(neighbours: Neighbours, margin: Margin) -> Margins:
    """The margin of every candidate, in both directions."""
    forward, backward = neighbours.forward, neighbours.backward
    if not len(forward.indices) or not len(backward.indices):
        return Margins(np.zeros(forward.indices.shape), np.zeros(backward.indices.shape))
    source_means = forward.similarities.mean(axis=1, dtype=np.float64)  # (n,)
    target_means = backward.similarities.mean(axis=1, dtype=np.float64)  # (m,)
    k = max(forward.indices.shape[1], backward.indices.shape[1])
    around_source = (source_means[:, None] + target_means[forward.indices]) / 2
    around_target = (target_means[:, None] + source_means[backward.indices]) / 2
    return Margins(
        margin_score(forward.similarities, around_source, margin, k),
        margin_score(backward.similarities, around_target, margin, k),
    )


def margin_score(cosines: NDArray[Any], means: Floats, margin: Margin, k: int) -> Floats:
    """The margin of `cosines` over the mean similarity of their neighbourhoods, same shape.

    Where neighbours are all at 0 or more, a pair's own cosine is a k-th of the mean at least, so a ratio is k at
    most. Negative neighbours could make the mean vanish and the ratio explode, or turn two negatives into a high
    score: the mean is therefore never taken lower than cosine/k, or than SMALLEST_MEAN.
    """
    similarities = np.asarray(cosines, dtype=np.float64)
    if margin == "absolute":
        return similarities
    if margin == "distance":
        return similarities - means
    ratio: Floats = similarities / np.maximum(means, np.maximum(similarities / k, SMALLEST_MEAN))
    return ratio


def retrieve(neighbours: Neighbours, scored: Margins, retrieval: Retrieval) -> Mined:
    """The pairs of a retrieval strategy, each candidate list reduced to its best entry first."""
    forward = _best(neighbours.forward.indices, neighbours.forward.similarities, scored.forward)
    backward = _best(neighbours.backward.indices, neighbours.backward.similarities, scored.backward)
    backward = Mined(backward.target, backward.source, backward.scores, backward.cosines)
    if retrieval == "forward":
        return _sorted(forward)
    if retrieval == "backward":
        return _sorted(backward)
    if not len(forward) or not len(backward):
        return forward.keep(np.arange(0))
    if retrieval == "intersection":
        return _sorted(forward.keep(backward.source[forward.target] == forward.source))
    return _greedy(
        _sorted(
            Mined(
                np.concatenate([forward.source, backward.source]),
                np.concatenate([forward.target, backward.target]),
                np.concatenate([forward.scores, backward.scores]),
                np.concatenate([forward.cosines, backward.cosines]),
            )
        )
    )


def one_sided(neighbours: Neighbours, scored: Margins, source: Vectors, target: Vectors) -> Mined:
    """Sources with their best candidates that prefer another source themselves, in the sources' order: almost none are
    translations, so they show how high chance alone scores in these corpora under this model.

    Left out are sources that are nearer to the preferred one than that is to its candidate: such copies with a word or
    a comma changed have the same translation, and say nothing about chance.
    """
    forward = _best(neighbours.forward.indices, neighbours.forward.similarities, scored.forward)
    backward = _best(neighbours.backward.indices, neighbours.backward.similarities, scored.backward)
    if not len(forward) or not len(backward):
        return forward.keep(np.arange(0))
    preferred = backward.target[forward.target]
    rows = np.flatnonzero(preferred != forward.source)
    others = source[preferred[rows]]
    to_each_other = np.einsum("ij,ij->i", source[rows], others)
    to_the_candidate = np.einsum("ij,ij->i", target[forward.target[rows]], others)
    return forward.keep(rows[to_each_other < to_the_candidate])


def _best(indices: Integers, similarities: Vectors, scores: Floats) -> Mined:
    """Each row with its best-scored neighbour; of equals the nearer one."""
    if not indices.size:
        nothing, no_scores = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64)
        return Mined(nothing, nothing, no_scores, no_scores)
    rows = np.arange(len(indices))
    best = scores.argmax(axis=1)
    return Mined(rows, indices[rows, best], scores[rows, best], similarities[rows, best].astype(np.float64))


def _sorted(mined: Mined) -> Mined:
    return mined.keep(np.lexsort((mined.target, mined.source, -mined.scores)))


def _greedy(mined: Mined) -> Mined:
    """Best first, every sentence used once."""
    used_source, used_target, kept = set(), set(), []
    for row, (source, target) in enumerate(zip(mined.source.tolist(), mined.target.tolist(), strict=True)):
        if source not in used_source and target not in used_target:
            used_source.add(source)
            used_target.add(target)
            kept.append(row)
    return mined.keep(np.array(kept, dtype=np.int64))
