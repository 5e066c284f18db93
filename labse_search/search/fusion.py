"""Putting ranked lists together, and taking apart what is nearly the same. No store, no model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from labse_search.records import Found
from labse_search.similarity import Vectors

# Reciprocal rank fusion, Cormack, Clarke and Büttcher 2009: 60 is the paper's constant.
RANK_CONSTANT = 60
# Cosine above which two passages of one language say the same: 0.97 keeps sentences that differ in one number apart
# with labse-mini (looked at on the examples; a translation is never collapsed, it is another language).
SAME_PASSAGE = 0.97

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


def fuse(meaning: Sequence[Found], words: Sequence[Found], coverages: Sequence[float]) -> list[Found]:
    """All found segments, best first by the sum of 1 / (60 + rank), a rank by words counting as much as the square of
    its coverage (0..1, one a segment of `words`).

    Without that factor a question in French pushes up whatever French there is, through "de" and "la": measured on the
    questions beside the examples, the right document was among the first three for 11 of 18 instead of 18.
    """
    points: dict[str, float] = {}
    found: dict[str, Found] = {}
    for ranking, weights in ((meaning, [1.0] * len(meaning)), (words, [share**2 for share in coverages])):
        for rank, (one, weight) in enumerate(zip(ranking, weights, strict=True), 1):
            point = one.stored.point
            points[point] = points.get(point, 0.0) + weight / (RANK_CONSTANT + rank)
            found.setdefault(point, one)
    return sorted(found.values(), key=lambda one: -points[one.stored.point])


def coverage(question: Sequence[str], text: Sequence[str]) -> float:
    """Which share of the question's words stands in the text, 0..1; a word weighs as many letters as it has, at most
    eight, since in every alphabet the short words are mostly grammar."""
    asked, there = set(question), set(text)
    total = sum(min(len(word), 8) for word in asked)
    return sum(min(len(word), 8) for word in asked & there) / total if total else 0.0


def normal_form(text: str) -> str:
    """The text's letters and digits alone, lower case: equal for passages that differ in spaces and punctuation."""
    return "".join(_WORD.findall(text.casefold()))


def collapse(found: Sequence[Found], vectors: dict[str, Vectors]) -> list[tuple[Found, list[Found]]]:
    """Each passage once, with the nearly identical ones that come after it: the same letters and digits, or, in one
    language and with the same numbers, almost the same vector. Every one of `found` must have its vector."""
    if not found:
        return []
    forms = [normal_form(one.stored.segment.text) for one in found]
    kinds = [
        (one.stored.segment.language, tuple(_NUMBER.findall(form))) for one, form in zip(found, forms, strict=True)
    ]
    rows = np.stack([vectors[one.stored.point] for one in found])  # (n, dimension)
    alike = rows @ rows.T >= SAME_PASSAGE  # (n, n)
    kept: list[int] = []
    copies: dict[int, list[Found]] = {}
    for i, one in enumerate(found):
        twin = next((k for k in kept if forms[k] == forms[i] or (alike[k, i] and kinds[k] == kinds[i])), None)
        if twin is None:
            kept.append(i)
            copies[i] = []
        else:
            copies[twin].append(one)
    return [(found[i], copies[i]) for i in kept]


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
