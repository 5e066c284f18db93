"""The second pass: which sentences of one side say what which sentences of the other say.

A bead of a sentences with b is worth the margin of its cosine over those of its neighbours, as in bertalign (Liu & Zhu
2022): a sentence before or after either side. Joined texts resemble what they contain, so the margin, not the cosine,
tells (1, 2) from (1, 1) beside a stranger. Sides of unlike length are worth less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.align.anchors import find_band, similarity_by_chance
from labse_search.align.joins import MOST_JOINED, Side
from labse_search.align.path import Band, Shape, best_path

MOST_IN_A_BEAD = 6  # sentences of both sides together
SHAPES: tuple[Shape, ...] = tuple(
    (a, b)
    for a in range(1, MOST_JOINED + 1)
    for b in range(1, MOST_JOINED + 1)
    if a + b <= MOST_IN_A_BEAD
)  # fmt: skip
# In units of the margin. Chosen on news and medicine (en-de, en-ru, de-fr, en-zh) whose sentences were cut, joined and
# left out, and on Text+Berg; F1 changes by less than a point when any of them is halved.
BONUS = 0.1  # a bead is worth that more than its margin: translations are the rule
LENGTH = 0.1  # times the squared logarithm of the ratio of lengths
# What it costs to say that nothing translates a sentence: so much for every unit of cosine that the nearest sentence is
# above chance. Nine in ten of those without a translation are below a cosine of 0.45, nine in ten of the others above.
SKIP_SLOPE, SKIP_FREE, SKIP_LEAST = 0.7, -0.1, 0.06


@dataclass(frozen=True)
class Bead:
    """Sentences of the source, by number from 0, and those of the target that say the same; one side may be empty:
    then nothing on the other side says it, and the score is 0."""

    source: range
    target: range
    score: float  # margin of the cosine, less what unlike lengths cost: 0.2 to 0.6 for translations


def find_beads(source: Side, target: Side) -> list[Bead]:
    """The alignment, in order; every sentence of both sides stands in exactly one bead."""
    if not len(source) or not len(target):
        alone = [Bead(range(i, i + 1), range(0), 0.0) for i in range(len(source))]
        return alone + [Bead(range(0), range(j, j + 1), 0.0) for j in range(len(target))]
    band = find_band(source.joins[:, 0], target.joins[:, 0])
    steps = best_path(band, SHAPES, _Scores(source, target, band), _skips(source, target, band))
    return [Bead(range(i - a, i), range(j - b, j), score - BONUS if a and b else 0.0) for i, j, (a, b), score in steps]


def _skips(source: Side, target: Side, band: Band) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What it costs to leave out each sentence of either side: the more, the nearer a sentence there is to it."""
    nearest = np.full(len(source), -1.0), np.full(len(target), -1.0)
    for i in range(len(source)):
        there = slice(int(band.first[i]), int(band.last[i + 1]))
        cosines = target.joins[there, 0] @ source.joins[i, 0]
        nearest[0][i] = cosines.max()
        nearest[1][there] = np.maximum(nearest[1][there], cosines)
    free = similarity_by_chance(source.joins[:, 0], target.joins[:, 0]) + SKIP_FREE
    source_costs, target_costs = (np.maximum(SKIP_SLOPE * (one - free), SKIP_LEAST) for one in nearest)
    return source_costs, target_costs


class _Scores:
    """(shapes, positions of row i): what each bead that ends there is worth."""

    def __init__(self, source: Side, target: Side, band: Band) -> None:
        self._source, self._target, self._band = source, target, band
        self._ratio = source.lengths[-1] / max(target.lengths[-1], 1.0)
        self._a = np.array([a for a, _ in SHAPES])[:, None]
        self._b = np.array([b for _, b in SHAPES])[:, None]

    def __call__(self, i: int) -> NDArray[np.float64]:
        first, last = int(self._band.first[i]), int(self._band.last[i])
        ends = np.arange(first, last + 1)[None]  # (1, positions)
        starts = ends - self._b  # (shapes, positions)
        allowed = (starts >= 0) & (self._a <= i)
        margins = self._margins(i, first, last, np.maximum(starts, 0), ends)
        worth = self._weigh(i, margins, np.maximum(starts, 0), ends) + BONUS
        return np.where(allowed, worth, -np.inf)

    def _margins(
        self, i: int, first: int, last: int, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Cosine of the bead's sides, less the mean cosine of each side with the sentences around the other."""
        n, m = len(self._source), len(self._target)
        begin = max(first - MOST_JOINED - 1, 0)
        there = self._target.joins[begin : min(last + 1, m)]  # (columns, joins, dimension)
        cosines = there @ self._rows(i).T  # (columns, joins, rows)
        a, b = np.broadcast_arrays(self._a, self._b)
        before, after = MOST_JOINED + self._a - 1, 2 * MOST_JOINED
        top = len(there) - 1
        pair = cosines[starts - begin, self._b - 1, self._a - 1]
        left = cosines[np.maximum(starts - 1 - begin, 0), 0, self._a - 1] * (starts > 0)
        right = cosines[np.minimum(ends - begin, top), 0, self._a - 1] * (ends < m)
        above = cosines[starts - begin, self._b - 1, before] * (i > a)
        below = cosines[starts - begin, self._b - 1, after] * (i < n)
        beside = (left + right) / np.maximum((starts > 0) * 1 + (ends < m), 1)
        beyond = (above + below) / np.maximum((i > a) * 1 + (i < n), 1)
        return np.asarray(pair - (beside + beyond) / 2, dtype=np.float64)

    def _rows(self, i: int) -> NDArray[np.float32]:
        """The joins of the source that end at i, the sentences just before each, and the one after: 0 where none."""
        joins = self._source.joins
        rows = np.zeros((2 * MOST_JOINED + 1, joins.shape[2]), dtype=np.float32)
        for a in range(1, min(MOST_JOINED, i) + 1):
            rows[a - 1] = joins[i - a, a - 1]
            if i > a:
                rows[MOST_JOINED + a - 1] = joins[i - a - 1, 0]
        if i < len(self._source):
            rows[2 * MOST_JOINED] = joins[i, 0]
        return rows

    def _weigh(
        self, i: int, margins: NDArray[np.float64], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Margins of sides with unlike lengths count for less, and those of very unlike ones are no translations."""
        lengths = self._source.lengths
        source = np.maximum(lengths[i] - lengths[np.maximum(i - self._a, 0)], 1.0)
        target = np.maximum((self._target.lengths[ends] - self._target.lengths[starts]) * self._ratio, 1.0)
        ratio = np.minimum(source, target) / np.maximum(source, target)
        return np.asarray(margins * np.log2(1 + ratio) - LENGTH * np.log(ratio) ** 2)
