"""The best monotone path through two texts: dynamic programming inside a band, as used by both passes.

A position (i, j) lies after i sentences of the source and j of the target. A path leads from (0, 0) to (n, m) by beads
(a sentences of one side with b of the other) and skips (a sentence of one side that nothing of the other translates).
Time and memory grow with the number of positions in the band.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int]  # sentences of the source and of the target in one bead
Step = tuple[int, int, Shape, float]  # a position's i and j, the bead or skip that ends there, and its score

SKIP_SOURCE, SKIP_TARGET = 0, 1  # moves; the shapes follow
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """The positions that a path may touch: for i from 0 to n those with first[i] ≤ j ≤ last[i].

    Both rise with i; neighbouring rows overlap; (0, 0) and (n, m) are inside.
    """

    first: NDArray[np.int64]  # (n + 1,)
    last: NDArray[np.int64]  # (n + 1,)

    @property
    def positions(self) -> int:
        """How many cells of the matrix are computed."""
        return int((self.last - self.first + 1).sum())


def whole(n: int, m: int) -> Band:
    """All positions."""
    return Band(np.zeros(n + 1, dtype=np.int64), np.full(n + 1, m, dtype=np.int64))


def around(corners: Sequence[tuple[int, int]], n: int, m: int, width: int) -> Band:
    """The positions at most `width` sentences of either side away from the line through `corners`, which rise."""
    points = np.array([(0, 0), *corners, (n, m)], dtype=np.int64)
    first, last = np.full(n + 1, m, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    for (i0, j0), (i1, j1) in zip(points, points[1:], strict=False):
        if i1 == i0:
            first[i0], last[i0] = min(first[i0], j0), max(last[i0], j1)
            continue
        line = j0 + (j1 - j0) * np.arange(i1 - i0 + 1) / (i1 - i0)
        rows = slice(i0, i1 + 1)
        first[rows] = np.minimum(first[rows], np.floor(np.append(line[:1], line[:-1])).astype(np.int64))
        last[rows] = np.maximum(last[rows], np.ceil(line).astype(np.int64))
    rows_before = np.maximum(np.arange(n + 1) - width, 0)
    rows_after = np.minimum(np.arange(n + 1) + width, n)
    return Band(np.maximum(first[rows_before] - width, 0), np.minimum(last[rows_after] + width, m))


def best_path(
    band: Band, shapes: Sequence[Shape], scores: Callable[[int], Floats], skips: tuple[Floats, Floats]
) -> list[Step]:
    """The beads and skips of the path with the highest sum, in order; a skip is one sentence.

    `scores(i)` gives (shapes, positions of row i): what a bead of each shape that ends there is worth; -inf where it
    can't be. `skips`: what it costs to leave out each sentence of the source (n,) and of the target (m,), 0 or more.
    """
    n, reach = len(band.first) - 1, max(max(shape) for shape in shapes)
    rows = _Rows(band, reach)
    spent = np.concatenate([[0.0], np.cumsum(skips[1])])  # on the target's sentences before each place
    trace: list[_Trace] = []
    for i in range(n + 1):
        first, last = int(band.first[i]), int(band.last[i])
        worth = scores(i)
        best = rows.before(i - 1, first, last) - skips[0][i - 1] if i else _origin(last - first + 1)
        move = np.full(len(best), SKIP_SOURCE, dtype=np.int8)
        for at, (a, b) in enumerate(shapes):
            if i >= a:
                reached = rows.before(i - a, first - b, last - b) + worth[at]
                better = reached > best
                best[better] = reached[better]
                move[better] = at + 2
        level = best + spent[first : last + 1]
        highest = np.maximum.accumulate(level)
        move[highest > level] = SKIP_TARGET
        rows.put(i, first, highest - spent[first : last + 1])
        trace.append(_Trace(first, move, worth))
    return _backwards(band, shapes, trace)


@dataclass(frozen=True)
class _Trace:
    """How the positions of a row are reached best."""

    first: int
    move: NDArray[np.int8]
    worth: Floats


class _Rows:
    """The sums of the last rows, in full length, with room for the beads that would begin before the text."""

    def __init__(self, band: Band, reach: int) -> None:
        self._reach = reach
        self._sums = np.full((reach + 1, int(band.last[-1]) + 1 + reach), -np.inf)
        self._filled = [slice(0, 0)] * (reach + 1)

    def before(self, i: int, first: int, last: int) -> Floats:
        return self._sums[i % len(self._sums), first + self._reach : last + 1 + self._reach]

    def put(self, i: int, first: int, sums: Floats) -> None:
        row = i % len(self._sums)
        self._sums[row, self._filled[row]] = -np.inf
        self._filled[row] = slice(first + self._reach, first + self._reach + len(sums))
        self._sums[row, self._filled[row]] = sums


def _origin(positions: int) -> Floats:
    best = np.full(positions, -np.inf)
    best[0] = 0
    return best


def _backwards(band: Band, shapes: Sequence[Shape], trace: Sequence[_Trace]) -> list[Step]:
    i, j = len(band.first) - 1, int(band.last[-1])
    steps: list[Step] = []
    while i or j:
        row, column = trace[i], j - trace[i].first
        move = int(row.move[column])
        if move >= 2:
            shape, score = shapes[move - 2], float(row.worth[move - 2, column])
        else:
            shape, score = (1, 0) if move == SKIP_SOURCE else (0, 1), 0.0
        steps.append((i, j, shape, score))
        i, j = i - shape[0], j - shape[1]
    return steps[::-1]
