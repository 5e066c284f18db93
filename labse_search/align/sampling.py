"""Batches of pairs: some alike and hard to tell apart, the rest from everywhere; now and then one side is only a part.

Everything is decided by the seed, the number of the pass and the number of the batch in it, so a position of two
numbers is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.align.corpus import Side, TokenPairs
from labse_search.errors import UserError

Position = tuple[int, int]  # pass over the pairs, batch in it
WHOLE, SPAN, HALF = 0, 1, 2  # what is left of a text
LONG = 6  # tokens; texts up to that are never cropped: their parts mean anything
SHARE_OF_SPAN = (0.35, 0.7)


@dataclass(frozen=True)
class Tokens:
    """Texts, one after the other."""

    ids: NDArray[np.int64]  # (tokens,)
    lengths: NDArray[np.int64]  # (n,) at least 1 each

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths) - self.lengths


def joined(first: Tokens, second: Tokens) -> Tokens:
    """The texts of both, the first's before the second's."""
    return Tokens(np.concatenate([first.ids, second.ids]), np.concatenate([first.lengths, second.lengths]))


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
        crops: float = 0.0,
        hard: float = 0.0,
        group: int = 64,
        groups: NDArray[np.int32] | None = None,
    ) -> None:
        self.pairs = pairs
        self.weights = weights
        self.batch = batch
        self.seed = seed
        self.crops = crops
        self.group = group
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
        random = np.random.default_rng((self.seed, number, at))
        chance, kind = random.random(len(rows)), random.integers(SPAN, HALF + 1, len(rows))
        first = np.where(chance < self.crops / 2, kind, WHOLE)
        second = np.where((chance >= self.crops / 2) & (chance < self.crops), kind, WHOLE)
        sources, targets = self.pairs.sides
        return Batch(
            rows, take(sources, rows, first, random), take(targets, rows, second, random), self.pairs.keys[rows]
        )


def take(side: Side, rows: NDArray[np.int64], kinds: NDArray[np.int64], random: np.random.Generator) -> Tokens:
    """The texts of these rows, or what `kinds` leaves of each: WHOLE, a SPAN, or about HALF of the tokens, in order.

    Always at least the first token of a HALF and three of a SPAN.
    """
    lengths = side.lengths[rows]
    long = lengths > LONG
    shares = random.uniform(*SHARE_OF_SPAN, len(rows))
    kept = np.where(long & (kinds == SPAN), np.maximum(3, (lengths * shares).astype(np.int64)), lengths)
    starts = side.starts[rows] + (random.random(len(rows)) * (lengths - kept + 1)).astype(np.int64)
    row = np.repeat(np.arange(len(rows)), kept)
    within = np.arange(len(row)) - np.repeat(np.cumsum(kept) - kept, kept)
    ids = side.ids[starts[row] + within].astype(np.int64)
    dropped = (long & (kinds == HALF))[row] & (random.random(len(row)) < 0.5) & (within > 0)
    return Tokens(ids[~dropped], np.bincount(row[~dropped], minlength=len(rows)))
