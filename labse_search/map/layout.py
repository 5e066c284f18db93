"""Where passages lie on a map: t-SNE by openTSNE, the only module that knows it (van der Maaten & Hinton 2008; the
gradient by interpolation, Linderman et al. 2019; new points in an old map, Poličar et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labse_search.machine import usable_cores
from labse_search.similarity import Vectors

Positions = NDArray[np.float32]  # (n, 2)

PERPLEXITY = 30.0  # how many neighbours count; openTSNE's default
ROUND = 50  # iterations
ROUNDS = 15  # openTSNE's default: 250 iterations in which groups form, 500 in which they spread
FEWEST_TO_APPROXIMATE = 2000  # below, exact neighbours take no longer
FEWEST_TO_SHARE = 2000  # below, threads mostly wait for each other: beside other work, two took 34 s and one 4
SEED = 0


def lay_out(vectors: Vectors, *, tell: Callable[[int], None] = lambda rounds: None) -> Positions:
    """Two dimensions for vectors (n, k). `tell`: how many of ROUNDS are done; what it raises ends the work."""
    from openTSNE import TSNE

    rounds = 0

    def heard(iteration: int, error: float, embedding: object) -> None:
        nonlocal rounds
        rounds += 1
        tell(rounds)

    model = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
        neighbors=_neighbours(vectors),
        n_jobs=_threads(vectors),
        callbacks=heard,
        callbacks_every_iters=ROUND,
        random_state=SEED,
    )
    return np.asarray(model.fit(vectors), np.float32)


def lay_out_more(known: Vectors, positions: Positions, new: Vectors) -> Positions:
    """Where new vectors (m, k) belong on the map of the known ones (n, k), whose positions stay."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    if not len(new):
        return np.empty((0, 2), np.float32)
    perplexity = min(PERPLEXITY, (len(known) - 1) / 3)
    jobs = _threads(known)
    affinities = PerplexityBasedNN(
        known, perplexity=perplexity, method=_neighbours(known), n_jobs=jobs, random_state=SEED
    )
    middle = (positions.max(axis=0) + positions.min(axis=0)) / 2  # openTSNE centres the map that it adds to
    embedding = TSNEEmbedding(positions - middle, affinities, n_jobs=jobs, random_state=SEED)
    placed = embedding.transform(new, perplexity=min(5.0, perplexity), k=min(25, len(known) - 1))
    return np.asarray(placed + middle, np.float32)


def _threads(vectors: Vectors) -> int:
    return 1 if len(vectors) < FEWEST_TO_SHARE else usable_cores()


def _neighbours(vectors: Vectors) -> str:
    return "exact" if len(vectors) < FEWEST_TO_APPROXIMATE else "annoy"
