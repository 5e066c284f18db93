"""How many of the kept pairs are right, estimated from those that a person looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labse_search.teach.pairs import PairRow, strata_of

DRAWS = 20_000


@dataclass(frozen=True)
class Estimate:
    """Precision of the pairs at or above a threshold, with its interval of 95 %; all 0..1."""

    precision: float
    low: float
    high: float
    reviewed: int  # right or wrong, at or above the threshold
    kept: int


def estimate_precision(rows: Sequence[PairRow], threshold: float) -> Estimate:
    """The share of right ones among the rows at or above the threshold.

    Difficult pairs are reviewed more often than easy ones, so their plain share would be too low: each stratum of
    scores counts as often as it has pairs. The interval is that of the weighted sum of the strata's shares, each with
    its posterior under Jeffreys' prior, Beta(right + 1/2, wrong + 1/2); a stratum nobody looked at makes it wide.
    """
    kept = [row for row in rows if row.pair.score >= threshold]
    if not kept:
        return Estimate(0.0, 0.0, 1.0, 0, 0)
    strata = np.array(strata_of([row.pair.score for row in kept], threshold))
    verdicts = np.array([row.verdict for row in kept])
    generator = np.random.default_rng(0)
    total, mean = np.zeros(DRAWS), 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        right = int(np.count_nonzero(inside & (verdicts == "right")))
        wrong = int(np.count_nonzero(inside & (verdicts == "wrong")))
        weight = float(inside.mean())
        total += weight * generator.beta(right + 0.5, wrong + 0.5, DRAWS)
        mean += weight * (right + 0.5) / (right + wrong + 1)
    low, high = np.quantile(total, [0.025, 0.975])
    reviewed = int(np.isin(verdicts, ("right", "wrong")).sum())
    return Estimate(mean, float(low), float(high), reviewed, len(kept))
