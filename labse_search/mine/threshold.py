"""How good mined pairs are against gold pairs, and the threshold that makes them best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_ONE_SIDED = 50  # below that the highest few of them are no estimate of anything


@dataclass(frozen=True)
class Quality:
    """Precision and recall in 0..1 of `found` pairs, `correct` of them among the `gold` ones."""

    found: int
    correct: int
    gold: int

    @property
    def precision(self) -> float:
        return self.correct / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.correct / (self.found + self.gold) if self.found + self.gold else 0.0

    def __str__(self) -> str:
        share = f"{self.correct}/{self.found} found, {self.gold} gold"
        return f"precision {self.precision:.2%}, recall {self.recall:.2%}, F1 {self.f1:.2%} ({share})"


@dataclass(frozen=True)
class Tuned:
    threshold: float  # keep what scores this or more
    quality: Quality  # on the very pairs it was tuned on


def chance_threshold(mined: NDArray[Any], one_sided: NDArray[Any], share: float) -> float | None:
    """The lowest score at which no more one-sided candidates (see margin.one_sided_scores) reach it than `share` of the
    `mined` pairs that do; infinity if there is none; None if too few are one-sided to say.

    What is one-sided stands for what is wrong among the mined, as decoys do for false finds (Elias and Gygi 2007): so
    the threshold falls where most sentences have a translation, and rises where few have one.
    """
    if len(one_sided) < FEWEST_ONE_SIDED:
        return None
    scores = np.unique(mined)  # ascending
    reach = len(mined) - np.searchsorted(np.sort(mined), scores)
    by_chance = len(one_sided) - np.searchsorted(np.sort(one_sided), scores)
    good = np.flatnonzero(by_chance <= share * reach)
    return float(scores[good[0]]) if len(good) else float("inf")


def quality(is_gold: NDArray[np.bool_], gold: int) -> Quality:
    """`is_gold` (n,): whether each found pair is one of the `gold` pairs."""
    return Quality(len(is_gold), int(np.count_nonzero(is_gold)), gold)


def tune_threshold(scores: NDArray[Any], is_gold: NDArray[np.bool_], gold: int) -> Tuned:
    """The threshold with the highest F1: the midpoint between two neighbouring scores.

    Equal scores are kept or dropped together. If keeping everything is best there is no right neighbour, and the
    threshold is the lowest score itself. With nothing correct to find, nothing is kept.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = np.asarray(scores, dtype=np.float64)[order]
    correct = np.cumsum(is_gold[order])
    found = np.arange(1, len(ranked) + 1)
    f1 = 2 * correct / (found + gold)
    if len(ranked):
        f1[:-1][ranked[:-1] == ranked[1:]] = -1  # no threshold lies between equals
    if not len(ranked) or correct[-1] == 0:
        return Tuned(float("inf"), Quality(0, 0, gold))
    last = int(np.argmax(f1))
    threshold = ranked[last] if last + 1 == len(ranked) else (ranked[last] + ranked[last + 1]) / 2
    if threshold <= ranked[min(last + 1, len(ranked) - 1)]:
        threshold = ranked[last]  # the two are neighbours in floating point too: their midpoint is the lower one
    return Tuned(float(threshold), Quality(last + 1, int(correct[last]), gold))
