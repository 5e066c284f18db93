"""Find the translation of a sentence: candidates that stand out among their neighbours, as in mining.

A sentence that is close to everything ("Yes, of course.") is nobody's translation: its cosine is divided by the mean
cosine of both sides' nearest neighbours (the ratio margin of Artetxe and Schwenk 2019, arXiv 1811.01136).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

NEIGHBOURS = 4  # of each side, as in the paper
CANDIDATES = 20  # the closest ones, whose neighbours are looked up: one search of the store each
LEAST_MEAN = 0.05  # of a neighbourhood's cosines: nothing is divided by less

Near = Callable[[Vectors, int], Sequence[float]]  # the cosines of the nearest passages to a vector, the closest first


def by_margin(sentence: Vectors, candidates: Vectors, near: Near) -> NDArray[np.float64]:
    """(n,) ratio margins of the candidates (n, dimension), which are passages of the collection, to a sentence that is
    none (dimension,). A passage is its own nearest neighbour, which does not count."""
    around = _mean(near(sentence, NEIGHBOURS))
    margins = []
    for candidate in candidates:
        beside = _mean(near(candidate, NEIGHBOURS + 1)[1:])
        margins.append(float(candidate @ sentence) / max((around + beside) / 2, LEAST_MEAN))
    return np.array(margins)


def _mean(cosines: Sequence[float]) -> float:
    return float(np.mean(cosines)) if len(cosines) else 0.0
