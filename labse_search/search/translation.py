"""Find the translation of a sentence: candidates that stand out among their neighbours, as in mining.

A sentence that is close to everything ("Yes, of course.") is nobody's translation: its cosine is divided by the mean
cosine of both sides' nearest neighbours (the ratio margin of Artetxe and Schwenk 2019, arXiv 1811.01136). How little
that adds to the cosine of the shipped model, and how many neighbours it takes, is in benchmarks/RESULTS.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.similarity import Vectors

NEIGHBOURS = 2  # of each side; the paper's four find no more
CANDIDATES = 5  # the closest ones, whose neighbours are looked up; the others follow in the order of their cosine
LEAST_MEAN = 0.05  # of a neighbourhood's cosines: nothing is divided by less

# For each of the vectors (n, dimension) the cosines of the nearest passages, the closest first.
Near = Callable[[Vectors, int], Sequence[Sequence[float]]]


def by_margin(sentence: Vectors, candidates: Vectors, near: Near, neighbours: int = NEIGHBOURS) -> NDArray[np.float64]:
    """(n,) ratio margins of the candidates (n, dimension), which are passages of the collection, to a sentence that is
    none (dimension,). A passage is its own nearest neighbour, which does not count."""
    around, *beside = near(np.stack([sentence, *candidates]), neighbours + 1)
    means = [(_mean(around[:neighbours]) + _mean(some[1:])) / 2 for some in beside]
    return np.array(
        [float(one @ sentence) / max(mean, LEAST_MEAN) for one, mean in zip(candidates, means, strict=True)]
    )


def _mean(cosines: Sequence[float]) -> float:
    return float(np.mean(cosines)) if len(cosines) else 0.0
