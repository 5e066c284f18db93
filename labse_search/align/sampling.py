"""Batches of pairs: some alike and hard to tell apart, the rest from everywhere.

Everything is decided by the seed, the number of the pass and the number of the batch in it, so a position of two
numbers is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.align.corpus import TokenPairs
from labse_search.align.cutting import Cuts, Cutter, Tokens
from labse_search.errors import UserError

Position = tuple[int, int]  # pass over the pairs, batch in it
WHOLE_TEXTS = Cuts()


@dataclass(frozen=True)
class Batch:
    rows: NDArray[np.int64]  # (n,) numbers of the pairs
    sources: Tokens
    targets: Tokens
    keys: NDArray[np.int64]  # (n, 2)


class BatchSampler:
    """Endless batches. `weights`: (n,) expected draws of each pair a pass; `groups`: (n,) number of the group of
    neighbours each pair is in, needed when `hard`, the share of a batch that comes in such groups, is above 0."""

    def __init__(
        self,
        pairs: TokenPairs,
        weights: NDArray[np.float32],
        *,
        batch: int,
        seed: int,
        cuts: Cuts = WHOLE_TEXTS,
        hard: float = 0.0,
        group: int = 64,
        groups: NDArray[np.int32] | None = None,
    ) -> None:
        self.pairs = pairs
        self.weights = weights
        self.batch = batch
        self.seed = seed
        self.group = group
        self._cut = Cutter(pairs, weights > 0, cuts, seed)
        self.groups = groups
        self.hard_rows = 0 if groups is None else int(batch * hard) // group * group

    def batches(self, position: Position = (0, 0)) -> Iterator[tuple[Batch, Position]]:
        """From a position on: a batch, and the position of the one after it."""
        number, first = position
        while True:
            rows = self.rows_of_pass(number)
            for at in range(first, len(rows)):
                yield self._batch(rows[at], number, at), (number, at + 1)
            number, first = number + 1, 0

    def rows_of_pass(self, number: int) -> NDArray[np.int64]:
        """(batches, batch) numbers of pairs. What does not fill a batch is left out of this pass."""
        random = np.random.default_rng((self.seed, number))
        copies = np.floor(self.weights + random.random(len(self.weights))).astype(np.int64)
        drawn = np.repeat(np.arange(len(copies)), copies)
        random.shuffle(drawn)
        cut = len(drawn) * self.hard_rows // self.batch
        neighbours, others = self._neighbours(drawn[:cut], random), drawn[cut:]
        easy_rows = self.batch - self.hard_rows
        fits = [len(part) // size for part, size in ((neighbours, self.hard_rows), (others, easy_rows)) if size]
        count = min(fits)
        if not count:
            raise UserError(f"{len(drawn):,} pairs do not fill a batch of {self.batch}. Give more, or a smaller batch.")
        hard = neighbours[: count * self.hard_rows].reshape(count, -1)
        return np.concatenate([hard, others[: count * easy_rows].reshape(count, -1)], axis=1)

    def _neighbours(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """The rows so that each run of `group` is alike, the runs in random order."""
        if not self.hard_rows or self.groups is None:
            return rows[:0]
        ordered = rows[np.argsort(self.groups[rows], kind="stable")]  # rows came shuffled: chance inside of a group
        runs = ordered[: len(ordered) // self.group * self.group].reshape(-1, self.group)
        random.shuffle(runs)
        return runs.reshape(-1)

    def _batch(self, rows: NDArray[np.int64], number: int, at: int) -> Batch:
        sources, targets = self._cut(rows, np.random.default_rng((self.seed, number, at)))
        return Batch(rows, sources, targets, self.pairs.keys[rows])
