"""How good mined pairs are against gold pairs, and the threshold that makes them best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.mine.margin import Margins, Mined, one_sided
from labse_search.mine.neighbours import Neighbours
from labse_search.similarity import Vectors

# Without gold pairs: one-sided candidates may be this share of the pairs that score as high. It is no promise of 99 %
# precision: on the 16 corpora of benchmarks/results/evaluation.md, of which a tenth, a third or all have a translation,
# 74 to 100 % of the kept pairs were right, and F1 was 0.81 of the best possible at least, 0.99 in the median (the
# labse-mini of two layers, shipped until 2026-11-28). No such rule was found for cosines.
CHANCE = {"ratio": 0.01, "distance": 0.01}
# Where too few are one-sided to tell, and for cosines.
FALLBACK_THRESHOLDS = {"ratio": 1.06, "distance": 0.05, "absolute": 0.6}
FEWEST_ONE_SIDED = 50  # below that the highest few of them are no estimate of anything,
SMALL_SHARE = 0.2  # unless they are so many of the pairs: then hardly any pair is right
MANY, NEARER = 1 / 6, 2.2  # see do_stand_out


@dataclass(frozen=True)
class Quality:
    """Precision and recall in 0..1 of `found` pairs, `correct` of them among the `gold` ones."""

    found: int
    correct: int
    gold: int

    @property
    def precision(self) -> float:
        """0 if nothing was found."""
        return self.correct / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """0 if there is no gold pair."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.correct / (self.found + self.gold) if self.found + self.gold else 0.0

    def __str__(self) -> str:
        share = f"{self.correct}/{self.found} found, {self.gold} gold"
        return f"precision {self.precision:.2%}, recall {self.recall:.2%}, F1 {self.f1:.2%} ({share})"


@dataclass(frozen=True)
class Tuned:
    """A threshold, and how good the pairs above it are."""

    threshold: float  # keep what scores this or more
    quality: Quality  # on the very pairs it was tuned on


@dataclass(frozen=True)
class Candidates:
    """Scores and cosines, (n,) each, of pairs or of candidates that are none."""

    scores: NDArray[Any]
    cosines: NDArray[Any]

    def __len__(self) -> int:
        return len(self.scores)


def chance_threshold(mined: Candidates, one_sided: Candidates, share: float, *, sentences: int) -> float | None:
    """The lowest score at which no more one-sided candidates (see margin.one_sided) reach it than `share` of the
    `mined` pairs that do; infinity if there is none; None if too few are one-sided to say.

    What is one-sided is taken for what is wrong among the mined, as decoys are for false finds (Elias and Gygi 2007),
    an assumption. The threshold falls where most sentences have a translation and rises where few have one. Infinity,
    too, where `do_stand_out` says no; `sentences`: of the smaller corpus.
    """
    if len(one_sided) < FEWEST_ONE_SIDED and len(one_sided) < SMALL_SHARE * len(mined):
        return None
    scores = np.unique(mined.scores)  # ascending
    reached = len(mined) - np.searchsorted(np.sort(mined.scores), scores)
    by_chance = len(one_sided) - np.searchsorted(np.sort(one_sided.scores), scores)
    good = np.flatnonzero(by_chance <= share * reached)
    if not len(good):
        return float("inf")
    threshold = float(scores[good[0]])
    stands_out = do_stand_out(mined.cosines[mined.scores >= threshold], one_sided.cosines, sentences)
    return threshold if stands_out else float("inf")


def threshold_of(
    mined: Mined, neighbours: Neighbours, scored: Margins, sides: tuple[Vectors, Vectors], share: float
) -> float | None:
    """`chance_threshold` of pairs mined from these sides, their vectors."""
    by_chance = one_sided(neighbours, scored, *sides)
    return chance_threshold(
        Candidates(mined.scores, mined.cosines),
        Candidates(by_chance.scores, by_chance.cosines),
        share,
        sentences=min(len(side) for side in sides),
    )


def do_stand_out(cosines: NDArray[Any], by_chance: NDArray[Any], sentences: int) -> bool:
    """Whether pairs of these cosines are more, or nearer to each other, than chance makes them.

    Seen where nothing was a translation (labse-mini of two layers): the best-scored sentences prefer each other, about
    √sentences pairs and at most a seventh of the sentences before the first one-sided candidate, but their median
    cosine was at most two spreads (median to ninth decile) above that of the one-sided ones (`by_chance`); that of
    translations was higher. MANY and NEARER were chosen on these figures.

    Checked with the labse-mini of thirteen layers on 500 dev sentences a side, eleven languages against English: with
    none parallel nothing stood out in any; of 50 parallel ones 39 to 49 were found (in Arabic nothing stood out), of
    166 parallel ones 139 to 161.
    """
    if len(cosines) >= max(MANY * sentences, 4 * np.sqrt(sentences)):
        return True
    if len(cosines) < np.sqrt(sentences) or not len(by_chance):
        return False
    middle, high = np.quantile(by_chance, [0.5, 0.9])
    return bool(np.median(cosines) >= middle + NEARER * (high - middle))


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
