"""Arithmetic on vectors (numpy only). Rows are items; every vector is float32 of length 1, so dot is cosine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def normalize(vectors: NDArray[np.floating]) -> Vectors:
    """Rows scaled to length 1, float32; a zero row stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def check_vectors(vectors: NDArray[np.floating], dimension: int, rows: int) -> Vectors:
    """The same vectors as float32 (rows, dimension), or a ValueError that says what is wrong with which row.

    The store accepts NaN, infinity and zero vectors without a word, so nothing goes in unchecked.
    """
    array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.shape != (rows, dimension):
        raise ValueError(f"vectors have shape {array.shape}, expected ({rows}, {dimension})")
    lengths = np.linalg.norm(array, axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < 1e-2))  # NaN and infinity fail this comparison too
    if len(wrong):
        raise ValueError(f"vector {wrong[0]} of {rows} has length {lengths[wrong[0]]}, expected 1")
    return array
