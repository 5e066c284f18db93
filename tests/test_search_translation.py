"""What stands out among its neighbours comes first."""

from __future__ import annotations

import numpy as np
import pytest

from labse_search.search.translation import LEAST_MEAN, NEIGHBOURS, by_margin
from labse_search.similarity import Vectors

SENTENCE = np.array([1, 0], "f4")
CANDIDATES = np.array([[0.8, 0.6], [0.75, 0.66]], "f4")


def test_what_is_close_to_everything_comes_after_what_is_close_to_the_sentence_alone() -> None:
    asked: list[tuple[int, int]] = []

    def near(vectors: Vectors, limit: int) -> list[list[float]]:
        asked.append((len(vectors), limit))
        return [[0.8, 0.4, 0.1], [1.0, 0.9, 0.9], [1.0, 0.4, 0.2]]

    margins = by_margin(SENTENCE, CANDIDATES, near)
    assert margins == pytest.approx([0.8 / ((0.6 + 0.9) / 2), 0.75 / ((0.6 + 0.3) / 2)], abs=1e-6)
    assert asked == [(3, NEIGHBOURS + 1)]


def test_a_passage_without_neighbours_is_divided_by_no_less_than_the_least() -> None:
    margins = by_margin(SENTENCE, CANDIDATES[:1], lambda vectors, limit: [[], [1.0]])
    assert margins == pytest.approx([0.8 / LEAST_MEAN], abs=1e-4)


def test_without_candidates_there_is_nothing_to_order() -> None:
    assert len(by_margin(SENTENCE, CANDIDATES[:0], lambda vectors, limit: [[0.5]])) == 0
