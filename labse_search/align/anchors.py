"""The first pass: where in the target each part of the source lies, from sentence vectors alone, in linear time.

Long texts are halved, two neighbouring sentences averaged into one, until everything can be compared with everything;
the line found there is followed back down, level by level, in a narrow band (Thompson & Koehn 2019, section 3.3).
On every level the line goes through the pairs one to one that have the highest sum; leaving sentences out is free, so
that whole chapters may be missing on either side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labse_search.align.path import Band, around, best_path, whole
from labse_search.similarity import Vectors, normalize

COMPARED_WHOLE = 1000  # sentences of the longer side: a million positions, half a second
WIDTH = 10  # sentences on either side of the line; vecalign's band is as wide
SAMPLE = 1000  # pairs of chance to tell how similar unrelated sentences are
DEVIATION = 1.4826  # times the median distance from the median: the standard deviation, where all is normal
Chance = Callable[[Vectors, Vectors], float]  # how similar two rows must be, at least, to count as a pair


def find_band(source: Vectors, target: Vectors) -> Band:
    """Where the second pass looks. `source` (n, dimension), `target` (m, dimension): a row a sentence, length 1."""
    return around(_corners(source, target), len(source), len(target), WIDTH)


def paired(source: Vectors, target: Vectors) -> int:
    """How many rows of one pair with rows of the other, in order and closer than chance."""
    return len(_corners(source, target, usual_similarity)) // 2


def _corners(source: Vectors, target: Vectors, chance: Chance | None = None) -> list[tuple[int, int]]:
    """Where the sentences that pair one to one begin and end."""
    levels = [(source, target)]
    while max(len(levels[-1][0]), len(levels[-1][1])) > COMPARED_WHOLE:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    band = whole(len(levels[-1][0]), len(levels[-1][1]))
    corners: list[tuple[int, int]] = []
    for height in range(len(levels) - 1, -1, -1):
        one, other = levels[height]
        above = [(min(2 * i, len(one)), min(2 * j, len(other))) for i, j in corners]
        if height < len(levels) - 1:
            band = around(above, len(one), len(other), WIDTH)
        corners = _pairs(one, other, band, (chance or similarity_by_chance)(one, other))
    return corners


def _halved(vectors: Vectors) -> Vectors:
    """(ceil(n / 2), dimension): the means of two neighbours each; a last one without a neighbour stays as it is."""
    even = len(vectors) // 2 * 2
    pairs = vectors[:even].reshape(-1, 2, vectors.shape[1]).mean(axis=1)
    return normalize(np.concatenate([pairs, vectors[even:]]))


def _pairs(source: Vectors, target: Vectors, band: Band, chance: float) -> list[tuple[int, int]]:
    """The corners after and before the sentences that the best path pairs one to one."""

    def scores(i: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        first, last = int(band.first[i]), int(band.last[i])
        if i == 0:
            return np.full((1, last - first + 1), -np.inf)
        cosines = target[max(first - 1, 0) : last] @ source[i - 1] - chance
        return np.asarray(np.concatenate([np.full(1 if first == 0 else 0, -np.inf), cosines])[None], dtype=np.float64)

    free = np.zeros(len(source)), np.zeros(len(target))
    corners = []
    for i, j, shape, _ in best_path(band, [(1, 1)], scores, free):
        if shape == (1, 1):
            corners += [(i - 1, j - 1), (i, j)]
    return corners


def usual_similarity(source: Vectors, target: Vectors) -> float:
    """As `similarity_by_chance`, also for texts so short that a good part of all pairs are translations: these must not
    raise it, so the middle of all cosines and their usual distance from it tell it where that is lower."""
    cosines = _sampled(source, target)
    middle = float(np.median(cosines))
    usual = middle + 2 * DEVIATION * float(np.median(np.abs(cosines - middle)))
    return min(usual, similarity_by_chance(source, target))


def similarity_by_chance(source: Vectors, target: Vectors) -> float:
    """The cosine that one in 40 pairs of unrelated sentences exceeds: what counts as a pair must be closer."""
    cosines = _sampled(source, target)
    return float(cosines.mean() + 2 * cosines.std())


def _sampled(source: Vectors, target: Vectors) -> NDArray[np.float32]:
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(0, len(source), SAMPLE), generator.integers(0, len(target), SAMPLE)
    return np.asarray(np.einsum("ij,ij->i", source[rows], target[columns]))
