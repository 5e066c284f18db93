"""What a search must know of a model, measured once (`search.measure`) and kept beside its weights.

Two things no model tells by itself. In which directions its vectors tell the language of a text instead of what it
says: a question leaves them out, or passages in its own language push away those that answer in another (Roy et al.
2020, LAReQA; Xie et al. 2022, LSAR). And how likely a passage so close answers, beside others so close.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labse_search.files import write_json
from labse_search.similarity import Vectors, normalize

FILE = "search_profile.json"
FORMAT = 6
VERY_CLOSE, RELATED = 0.85, 0.15  # probabilities; "close" begins where the odds say
COMPANY = 5  # closest other passages that a passage is compared with
LEAST_DEVIATION = 0.5  # of log-odds
GROWTH = 2.0  # times as many passages, or as few: from there on a collection is measured again
OUTLIER = 4.0  # deviations above the median: a question that the collection does answer
QUARTILES = 1.349  # of a normal distribution, in deviations
PRIOR = 50  # cosines of unrelated texts that the profile's own count as beside those of a collection's sample


@dataclass(frozen=True)
class Pool:
    """Passages as a question sees them."""

    closeness: NDArray[np.floating]  # (n,) cosines to it; -1 for what cannot be compared
    vectors: Vectors  # (n, dimension) neutral


@dataclass(frozen=True)
class Others:
    """How close to the question those are that stand beside each passage: (n,), NaN where there are none."""

    rival: NDArray[np.float64]
    company: NDArray[np.float64]


@dataclass(frozen=True)
class Odds:
    """The log-odds that a passage answers are linear in how close it is, how close the closest other one is, how close
    the closest five others are on average, each less what is usual, and in spread · ln(passages): the best of many
    unrelated passages lies the higher the more there are, in proportion to ln n where cosines fall off exponentially
    (the Gumbel case of extreme value theory)."""

    intercept: float
    closeness: float
    rival: float  # weight of the closest other passage that does not say the same
    company: float  # weight of the mean of the closest five of those
    size: float
    close: float  # probability from which a passage is called close

    def probability(
        self, closeness: NDArray[np.floating], others: Others, usual: float, size: float
    ) -> NDArray[np.float64]:
        """(n,) for passages as close as this; `size`: spread · ln(passages)."""
        odds = self.intercept + self.closeness * (np.asarray(closeness, np.float64) - usual) + self.size * size
        for weight, cosines in ((self.rival, others.rival), (self.company, others.company)):
            odds += weight * np.where(np.isnan(cosines), 0.0, cosines - usual)
        return sigmoid(odds)

    def strength(self, probability: float) -> str:
        """ "very close", "close", "related" or "far"."""
        return strength(probability, self.close)


@dataclass(frozen=True)
class ScoredOdds:
    """The log-odds that a passage answers are linear in a standard score: by how many deviations its log-odds, by late
    interaction, lie above those of passages that come first for questions without an answer in the same collection."""

    intercept: float
    score: float
    least: float  # mean taken at least: among a few passages the best one is far away, and says little
    close: float  # probability from which a passage is called close

    def probability(self, likely: NDArray[np.floating], mean: float, deviation: float) -> NDArray[np.float64]:
        """(n,) for passages with these probabilities by the model's profile alone."""
        return sigmoid(self.intercept + self.score * standard_scores(log_odds(likely), mean, deviation, self.least))

    def strength(self, probability: float) -> str:
        """As `Odds.strength`."""
        return strength(probability, self.close)


@dataclass(frozen=True)
class Unanswered:
    """Log-odds of the first passage, over questions that nothing answers."""

    mean: float
    deviation: float
    passages: int  # in the collection when it was asked

    @property
    def tells(self) -> bool:
        """Whether enough questions found anything."""
        return math.isfinite(self.mean)

    def fits(self, count: int) -> bool:
        """Whether it still holds for a collection of so many passages."""
        return self.passages / GROWTH <= count <= self.passages * GROWTH


def standard_scores(
    odds: NDArray[np.float64], mean: NDArray[np.float64] | float, deviation: NDArray[np.float64] | float, least: float
) -> NDArray[np.float64]:
    """(n,) by how many deviations log-odds lie above the mean, which is taken to be `least` at least."""
    return np.asarray((odds - np.maximum(mean, least)) / np.maximum(deviation, LEAST_DEVIATION))


def usual_odds(odds: NDArray[np.floating]) -> tuple[float, float]:
    """Mean and deviation of log-odds (n,), but for those so high that they must be of answers."""
    low, middle, high = np.quantile(odds, (0.25, 0.5, 0.75))
    kept = odds[odds <= middle + OUTLIER * (high - low) / QUARTILES]
    return float(kept.mean()), float(kept.std())


def strength(probability: float, close: float) -> str:
    """ "very close", "close", "related" or "far"; `close`: the least probability that is called so."""
    names = ((max(VERY_CLOSE, close), "very close"), (close, "close"), (RELATED, "related"))
    return next((name for least, name in names if probability >= least), "far")


@dataclass(frozen=True)
class ModelProfile:
    """What is known of one model."""

    fingerprint: str  # of the encoder
    directions: Vectors  # (r, dimension) orthonormal, of the language; r may be 0
    token_mean: Vectors  # (width,) of the tokens of many texts in many languages: what they all share
    usual: float  # median cosine of a question and an unrelated passage
    spread: float  # their standard deviation above it
    late_usual: float  # median closeness, token by token, of a question and the unrelated passages found for it
    whole: Odds  # by the cosines of whole passages
    late: Odds  # by late interaction
    scored: ScoredOdds  # by late interaction, beside what the collection finds for questions without an answer
    translation: float  # cosine from which two passages in different languages are called translations
    translation_odds: tuple[float, float]  # that the closest one in another language is one: intercept, times cosine

    def neutral(self, vectors: Vectors) -> Vectors:
        """Vectors (..., dimension) of length 1 without what only tells their language."""
        if not len(self.directions):
            return vectors
        return normalize(vectors - (vectors @ self.directions.T) @ self.directions)

    def probability(
        self, closeness: NDArray[np.floating], others: Others, sample: NDArray[np.floating], count: int
    ) -> NDArray[np.float64]:
        """(n,) for the passages as close as this to a neutral question: the chance that they answer it, in a collection
        of `count` passages; `sample` (m,) are the question's cosines to a random part of it."""
        usual, spread = background(sample, self.usual, self.spread)
        return self.whole.probability(closeness, others, usual, spread * np.log(max(count, 1)))

    def late_probability(
        self, closeness: NDArray[np.floating], others: Others, sample: NDArray[np.floating], count: int
    ) -> NDArray[np.float64]:
        """The same for passages as close as this, and with others as close as those, by late interaction."""
        _, spread = background(sample, self.usual, self.spread)
        return self.late.probability(closeness, others, self.late_usual, spread * np.log(max(count, 1)))

    def translation_probability(self, cosines: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) for passages in other languages with these cosines to a neutral sentence: that they translate it."""
        intercept, closeness = self.translation_odds
        return sigmoid(intercept + closeness * np.asarray(cosines, np.float64))

    def save(self, path: Path) -> None:
        """As JSON, arrays as float16."""
        record = {
            **vars(self),
            "format": FORMAT,
            "directions": _packed(self.directions),
            "token_mean": _packed(self.token_mean),
            "whole": vars(self.whole),
            "late": vars(self.late),
            "scored": vars(self.scored),
        }
        write_json(path, record)


# For a model that was not measured yet: cosines as sentence encoders usually have them, every direction as it is.
UNMEASURED = ModelProfile(
    fingerprint="",
    directions=np.zeros((0, 1), np.float32),
    token_mean=np.zeros(1, np.float32),  # whatever the width
    usual=0.1,
    spread=0.09,
    late_usual=0.16,
    whole=Odds(intercept=-3.0, closeness=30.0, rival=-8.0, company=-8.0, size=-5.0, close=0.5),
    late=Odds(intercept=-10.0, closeness=38.0, rival=-4.0, company=-6.0, size=-3.0, close=0.5),
    scored=ScoredOdds(intercept=-2.4, score=1.9, least=-3.0, close=0.5),
    translation=0.85,
    translation_odds=(-15.0, 20.0),
)


def load_profile(path: Path, fingerprint: str) -> ModelProfile | None:
    """The profile in a file; None if there is none, or one of another model or format."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or (record.get("format"), record.get("fingerprint")) != (FORMAT, fingerprint):
        return None
    del record["format"]
    record |= {name: _unpacked(record[name]) for name in ("directions", "token_mean")}
    record |= {name: Odds(**record[name]) for name in ("whole", "late")}
    record["scored"] = ScoredOdds(**record["scored"])
    record["translation_odds"] = tuple(record["translation_odds"])
    return ModelProfile(**record)


def _packed(array: Vectors) -> dict[str, Any]:
    packed = array.astype("<f2")
    return {"shape": list(packed.shape), "float16": base64.b64encode(packed.tobytes()).decode()}


def _unpacked(record: dict[str, Any]) -> Vectors:
    packed = np.frombuffer(base64.b64decode(record["float16"]), "<f2")
    return packed.reshape(record["shape"]).astype(np.float32)


def background(sample: NDArray[np.floating], usual: float, spread: float) -> tuple[float, float]:
    """Mean and deviation of a question's cosines to unrelated passages: those of the sample, held together by the
    model's usual ones where there are few."""
    values = np.asarray(sample, np.float64)
    total = len(values) + PRIOR
    mean = (values.sum() + PRIOR * usual) / total
    return float(mean), float(np.sqrt((((values - mean) ** 2).sum() + PRIOR * spread**2) / total))


def others_of(found: Pool, pool: Pool, same: float) -> Others:
    """What stands beside each found passage: the closest of the pool that neither are it nor say the same, whose
    vectors have a cosine below `same` with its own. An answer that is there twice, or in translation, is no rival of
    itself."""
    order = np.argsort(-pool.closeness, kind="stable")[: 4 * COMPANY]
    order = order[pool.closeness[order] > -1.0]
    allowed = found.vectors @ pool.vectors[order].T < same  # (found, some of the pool), the closest first
    place = allowed.cumsum(axis=1)
    closeness = pool.closeness[order].astype(np.float64)

    def mean(first: int) -> NDArray[np.float64]:
        taken = allowed & (place <= first)
        count = taken.sum(axis=1)
        return np.where(count > 0, (taken * closeness).sum(axis=1) / np.maximum(count, 1), np.nan)

    return Others(mean(1), mean(COMPANY))


def log_odds(probabilities: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities to log odds, finite also where they are 0 or 1; of any shape."""
    values = np.clip(np.asarray(probabilities, np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(np.log(values / (1 - values)))


def sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds to probabilities, of any shape."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -40, 40))))
