"""Putting ranked lists together. No store, no model."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from labse_search.records import Found
from labse_search.store.folding import Word, single_letters, split

# Reciprocal rank fusion, Cormack, Clarke and Büttcher 2009. The paper's constant is 60, with which a place among the
# first ten hardly counts. Measured with multilingual-e5-small in the LaBSE stack, not yet trained, on the 94 pairs
# across languages of search/measure/calibration.tsv among 2,240 passages, right one first: by meaning alone 62.8 %,
# fused with 60 and the square of the coverage 52.1 %, 60 and the cube 61.7 %, 20 and the square 59.6 %, 20 and the
# cube 62.8 %; the 24 pairs in one language are right with all of them.
RANK_CONSTANT = 20
COVERAGE_POWER = 3
_WORD = re.compile(r"\w+")


def fuse(meaning: Sequence[Found], words: Sequence[Found], coverages: Sequence[float]) -> list[Found]:
    """All found segments, best first by the sum of 1 / (20 + rank), a rank by words counting as much as the cube of its
    coverage (0..1, one a segment of `words`): else a question in French pushes up whatever French there is, through
    "de" and "la"."""
    points: dict[str, float] = {}
    found: dict[str, Found] = {}
    for ranking, weights in ((meaning, [1.0] * len(meaning)), (words, [share**COVERAGE_POWER for share in coverages])):
        for rank, (one, weight) in enumerate(zip(ranking, weights, strict=True), 1):
            point = one.stored.point
            points[point] = points.get(point, 0.0) + weight / (RANK_CONSTANT + rank)
            found.setdefault(point, one)
    return sorted(found.values(), key=lambda one: -points[one.stored.point])


def fused(question: str, meaning: Sequence[Found], words: Sequence[Found]) -> list[Found]:
    """Both rankings as one; a single one as it is."""
    if not meaning or not words:
        return list(meaning or words)
    return fuse(meaning, words, [coverage(question, one.stored.segment.text) for one in words])


def coverage(question: str, text: str) -> float:
    """Which share of the question's words stands in the text, 0..1; a word weighs as many letters as it has, at most
    eight, since in every alphabet the short words are mostly grammar."""
    there = _forms(text)
    total = found = 0
    for parts, forms in _asked(question):
        whole = any(form in there for form in forms)
        for part in parts:
            total += min(len(part), 8)
            found += min(len(part), 8) if whole or part in there else 0
    return found / total if total else 0.0


@functools.lru_cache(maxsize=64)  # compared with sixty passages each
def _asked(question: str) -> tuple[Word, ...]:
    """Each of its words once."""
    return tuple(dict.fromkeys(split(question)))


@functools.lru_cache(maxsize=1024)  # passages that many questions find
def _forms(text: str) -> frozenset[str]:
    """Every way to write each of its words."""
    return frozenset(form for parts, forms in split(text) for form in (*parts, *forms)).union(single_letters(text))


def shared_words(question: str, text: str, limit: int = 8) -> tuple[str, ...]:
    """Words and numbers that stand in both as whole words, in the passage's spelling; no language knowledge."""
    asked = {word.casefold() for word in _telling(_WORD.findall(question))}
    shared = {word.casefold(): word for word in _telling(_WORD.findall(text)) if word.casefold() in asked}
    return tuple(shared.values())[:limit]


def _telling(words: Iterable[str]) -> list[str]:
    """Numbers, and words long enough not to be mere grammar."""
    return [word for word in words if len(word) > 3 or any(letter.isdigit() for letter in word)]


def closer_than(score: float, sample: np.ndarray) -> float:
    """Share of the sampled cosines (n,) that lie below the score, 0..1."""
    return float(np.mean(sample < score)) if len(sample) else 0.0
