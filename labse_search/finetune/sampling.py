"""Which pairs make a batch: languages by temperature, files by weight, no text twice, lengths alike if wanted.

A batch here is the whole step's, over all processes; accelerate then cuts it (`split_batches`), so that what holds
inside a batch holds across the processes. The order depends on (seed, epoch) only, so a resumed run sees what an
uninterrupted one sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SamplingPlan:
    """What the sampler knows of each pair. All arrays have one entry a pair."""

    groups: Rows  # language pair and file weight: pairs of one group are drawn alike
    lengths: Rows  # characters of both sides, a good enough stand-in for tokens
    keys: NDArray[np.int64]  # (pairs, 2) text keys of source and target
    draws: Rows  # how many pairs an epoch takes of each group


def plan_sampling(
    languages: Sequence[str],
    weights: Sequence[float],
    lengths: Sequence[int],
    keys: Sequence[tuple[int, int]],
    *,
    temperature: float,
) -> SamplingPlan:
    """What the sampler draws from: one entry a pair in each list."""
    groups, draws = draws_of_groups(languages, weights, temperature=temperature)
    return SamplingPlan(
        groups=groups,
        lengths=np.asarray(lengths, dtype=np.int64),
        keys=np.asarray(keys, dtype=np.int64).reshape(-1, 2),
        draws=draws,
    )


def draws_of_groups(languages: Sequence[str], weights: Sequence[float], *, temperature: float) -> tuple[Rows, Rows]:
    """The group of each pair, and the draws of each group in an epoch: ∝ weight · pairs^temperature of its language;
    Σ weight · pairs in all."""
    names, groups = np.unique(
        [f"{language}\t{w}" for language, w in zip(languages, weights, strict=True)], return_inverse=True
    )
    weight = np.array([float(name.split("\t")[1]) for name in names])
    counts = np.bincount(groups, minlength=len(names)).astype(np.float64)
    wanted = weight * counts**temperature
    wanted *= (weight * counts).sum() / wanted.sum()
    return groups.astype(np.int64), np.maximum(1, np.round(wanted)).astype(np.int64)


class PairBatchSampler(DefaultBatchSampler):  # type: ignore[misc]
    """Batches of row numbers, all of the same size; what is left at an epoch's end waits for another epoch's shuffle.

    A pair whose source or target already stands in the batch waits for a later batch. Only where no batch without it
    is left does it come in beside its like (the loss masks it then), so the number of batches is known beforehand.
    """

    def __init__(
        self, dataset: Any, batch_size: int, *, plan: SamplingPlan, length_window: int = 0, seed: int = 0
    ) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=True, seed=seed)
        self.plan = plan
        self.length_window = length_window
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Which shuffle the next iteration gives: the same on every process."""
        self.epoch = epoch

    def __len__(self) -> int:
        return int(self.plan.draws.sum()) // int(self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        batches = self._without_duplicates(self._ordered(self._drawn(random), random))
        # Sorting by length has put neighbours together; which batch comes when is chance again.
        for at in random.permutation(len(batches)) if self.length_window else range(len(batches)):
            yield batches[at]

    def _drawn(self, random: np.random.Generator) -> Rows:
        """The rows of one epoch in random order: whole passes over a group, then a part of it without repetition."""
        drawn = []
        order = np.argsort(self.plan.groups, kind="stable")
        starts = np.searchsorted(self.plan.groups[order], np.arange(len(self.plan.draws) + 1))
        for group, draws in enumerate(self.plan.draws):
            rows = order[starts[group] : starts[group + 1]]
            passes, rest = divmod(int(draws), len(rows))
            drawn += [rows] * passes + [random.choice(rows, rest, replace=False)]
        shuffled: Rows = random.permutation(np.concatenate(drawn))
        return shuffled

    def _ordered(self, rows: Rows, random: np.random.Generator) -> Rows:
        """Within windows of so many batches, from short to long with some noise; without a window, as drawn."""
        if not self.length_window:
            return rows
        window = self.length_window * int(self.batch_size)
        blurred = self.plan.lengths[rows] * random.uniform(0.9, 1.1, len(rows))
        parts = [np.arange(at, min(at + window, len(rows))) for at in range(0, len(rows), window)]
        ordered: Rows = rows[np.concatenate([part[np.argsort(blurred[part], kind="stable")] for part in parts])]
        return ordered

    def _without_duplicates(self, rows: Rows) -> list[list[int]]:
        size = int(self.batch_size)
        fresh, waiting = deque(rows.tolist()), deque[int]()
        batches = []
        while len(fresh) + len(waiting) >= size:
            batch: list[int] = []
            texts: set[tuple[int, int]] = set()
            # Those that waited come first; each is looked at once for this batch.
            for queue, looks in ((waiting, len(waiting)), (fresh, len(fresh))):
                for _ in range(looks):
                    if len(batch) == size:
                        break
                    row = queue.popleft()
                    own = {(side, int(key)) for side, key in enumerate(self.plan.keys[row])}
                    if texts & own:
                        waiting.append(row)
                        continue
                    texts |= own
                    batch.append(row)
            while len(batch) < size:
                batch.append(waiting.popleft())
            batches.append(batch)
        return batches
