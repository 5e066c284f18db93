"""Vectors without their language, in fewer dimensions: what is left is what the passages are about.

However well a model was taught, passages of one language lie a little to one side, and a layout of neighbours makes
islands of that. Each language's mean is therefore taken off its passages, as Libovický et al. (2020, arXiv 2004.05160)
do; then the directions in which the means differ are left out: by how much a passage leans to its language's side
depends on the passage. What it does to a map is measured by `python -m benchmarks.mapping quality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labse_search.similarity import Vectors, normalize

DIMENSIONS = 50  # what openTSNE's authors advise, too
# A mean of few passages says more of their topic than of their language: with this many, half of it is taken off.
HALF_TRUSTED = 20
MOST_DIRECTIONS, WEAKEST = 10, 0.02  # left out at most; and of this length at least, each language by its passages


@dataclass(frozen=True)
class Basis:
    """How vectors of one collection are reduced, so that later ones are reduced in the same way."""

    mean: Vectors  # (dimension,)
    languages: tuple[str, ...]
    shifts: Vectors  # (languages, dimension): from the mean to the language's own, as far as that is trusted
    sides: Vectors  # (directions, dimension), orthonormal: those in which languages differ
    centre: Vectors  # (dimension,), of the vectors without their language
    components: Vectors  # (k, dimension), orthonormal

    def reduce(self, vectors: Vectors, languages: Sequence[str]) -> Vectors:
        """(n, k). A language that the basis doesn't know keeps its side."""
        return np.asarray((self._neutral(vectors, languages) - self.centre) @ self.components.T, np.float32)

    def _neutral(self, vectors: Vectors, languages: Sequence[str]) -> Vectors:
        known = {code: number for number, code in enumerate(self.languages)}
        shifts = np.concatenate([self.shifts, np.zeros((1, len(self.mean)), np.float32)])
        centred = vectors - self.mean - shifts[[known.get(code, -1) for code in languages]]
        return normalize(centred - centred @ self.sides.T @ self.sides)


def fit_basis(vectors: Vectors, languages: Sequence[str]) -> Basis:
    """The basis of these vectors (n, dimension)."""
    from sklearn.decomposition import PCA

    mean = vectors.mean(axis=0)
    codes, of, counts = np.unique(np.array(languages), return_inverse=True, return_counts=True)
    shifts = np.stack([_shift(vectors[of == number], mean) for number in range(len(codes))])
    weighed = shifts * np.sqrt(counts / len(vectors))[:, None]
    _, lengths, directions = np.linalg.svd(weighed, full_matrices=False)
    sides = np.asarray(directions[:MOST_DIRECTIONS][lengths[:MOST_DIRECTIONS] > WEAKEST], np.float32)
    none = np.empty((0, len(mean)), np.float32)
    basis = Basis(mean, tuple(str(code) for code in codes), shifts, sides, mean * 0, none)
    neutral = basis._neutral(vectors, languages)
    pca = PCA(min(DIMENSIONS, *neutral.shape), svd_solver="covariance_eigh").fit(neutral)
    centre, components = (np.asarray(part, np.float32) for part in (pca.mean_, pca.components_))
    return replace(basis, centre=centre, components=components)


def _shift(own: Vectors, mean: Vectors) -> Vectors:
    return np.asarray((own.mean(axis=0) - mean) * len(own) / (len(own) + HALF_TRUSTED), np.float32)
