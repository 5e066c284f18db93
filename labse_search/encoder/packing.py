"""How texts make batches without padding: those of equal length lie together (sequence packing). Without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors, normalize

if TYPE_CHECKING:
    from labse_search.encoder.concurrency import Workers

WORKER_TOKENS = 256  # fewer for each are not worth a thread of their own: a question goes to one
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Texts of equal length that lie next to each other in a packed batch: `n` texts of `length` tokens."""

    start: int  # token
    n: int
    length: int

    @property
    def end(self) -> int:
        """The token after the last one."""
        return self.start + self.n * self.length


@dataclass(frozen=True)
class Packed:
    """A batch without padding: texts in order of length, one after the other."""

    ids: Ids  # (tokens,)
    groups: Sequence[Group]

    def positions(self) -> Ids:
        """(tokens,) each token's place in its text."""
        return np.concatenate([np.tile(np.arange(group.length), group.n) for group in self.groups])

    def firsts(self) -> Ids:
        """(texts,) where each text begins."""
        return np.concatenate([np.arange(group.start, group.end, group.length) for group in self.groups])

    def lengths(self) -> Ids:
        """(texts,) tokens of each text."""
        return np.repeat([group.length for group in self.groups], [group.n for group in self.groups])


@dataclass(frozen=True)
class Packing:
    """How a call's texts are computed: batches of at most `tokens` tokens one after the other; with workers, of about
    half of that side by side, so that a layer takes no longer on one core than it did on two.

    Few tokens, as a question has, are computed by one thread. Two that share so small a multiplication wait for each
    other after each of a hundred operations, on a busy machine until the system gives both a core in the same moment:
    at a load of 12 a question took 6.0 s and 506 ms of the processor with two threads, 0.5 s and 29 ms with one."""

    compute: Callable[[Packed], NDArray[np.float32]]  # (texts, dimension) of a batch; (tokens, dimension) for `states`
    dimension: int
    tokens: int
    workers: Workers | None = None
    places: float = math.inf  # that a batch may fill once its texts are padded to the longest

    def encode(self, ids: Ids, lengths: Ids) -> Vectors:
        """(texts, dimension) float32, length 1, in the order of `lengths`. `ids` are all texts' tokens in a row."""
        vectors = np.empty((len(lengths), self.dimension), dtype=np.float32)
        starts = np.cumsum(lengths) - lengths

        def fill(rows: Ids) -> None:
            vectors[rows] = self.compute(pack(ids, starts[rows], lengths[rows]))

        self._side_by_side(fill, lengths)
        return normalize(vectors)

    def states(self, ids: Ids, lengths: Ids) -> list[NDArray[np.float32]]:
        """(tokens, dimension) float32 of each text, in the order of `lengths`."""
        found: list[NDArray[np.float32]] = [np.empty((0, self.dimension), np.float32)] * len(lengths)
        starts = np.cumsum(lengths) - lengths

        def fill(rows: Ids) -> None:
            states = self.compute(pack(ids, starts[rows], lengths[rows]))
            for row, part in zip(rows.tolist(), np.split(states, np.cumsum(lengths[rows])[:-1]), strict=True):
                found[row] = part

        self._side_by_side(fill, lengths)
        return found

    def _side_by_side(self, fill: Callable[[Ids], None], lengths: Ids) -> None:
        def one_by_one() -> None:
            for rows in batches(lengths, self.tokens, self.places):
                fill(rows)

        total, workers = int(lengths.sum()), self.workers
        if workers is not None and workers.count > 1 and total >= WORKER_TOKENS * workers.count and len(lengths) > 1:
            rounds = -(-total // (self.tokens // 2 * workers.count))
            workers.each(fill, shares(lengths, rounds * workers.count))  # as many as keep all busy to the end
        elif workers is not None and workers.count > 1:
            workers.alone(one_by_one)
        else:
            one_by_one()


def batches(lengths: Ids, tokens: int, places: float = math.inf) -> Iterator[Ids]:
    """Row numbers in order of length, as many at a time as stay within `tokens`, and within `places` once all are
    padded to the longest (at least one)."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        those = lengths[order[start : start + tokens]]
        within = (np.cumsum(those) <= tokens) & (those * np.arange(1, len(those) + 1) <= places)  # both only rise
        n = max(1, int(within.sum()))
        yield order[start : start + n]
        start += n


def shares(lengths: Ids, parts: int) -> list[Ids]:
    """Row numbers in order of length, in at most so many parts of about equally many tokens."""
    order = np.argsort(lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts)
    return [part for part in np.split(order, cuts) if len(part)]


def pack(ids: Ids, starts: Ids, lengths: Ids) -> Packed:
    """The texts that begin at `starts` in `ids`, which must come in order of length."""
    packed = np.concatenate([ids[start : start + length] for start, length in zip(starts, lengths, strict=True)])
    groups: list[Group] = []
    start = 0
    for length, n in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append(Group(start, int(n), int(length)))
        start = groups[-1].end
    return Packed(packed, groups)
