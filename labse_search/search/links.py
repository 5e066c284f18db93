"""Word against word: how much of a question a passage holds, and which word of the one found which of the other.

The mean of a passage's words forgets the one rare word that a question is about. So, for models that know their tokens
one by one, every token of the question looks for its best counterpart in the passage (late interaction: Khattab and
Zaharia 2020, equation 3, here weighed by the tokens' weights), and half of that reach is added to the cosine.

Measured with a sister of labse-mini (0.8 and 0.2 instead of 0.85 and 0.15, see its card), right passage first, cosine →
with reach: XQuAD-R in en de ru zh ar, every fifth question, 69.0 → 82.3 % in the same language, 39.8 → 46.0 % across
languages; with labse-mini on the 156 question-passage pairs of the tests 58.3 → 75.0 % and 22.9 → 23.6 %. A weight of 1
gains more on XQuAD-R (85.5, 47.5) and loses on the pairs and the examples; reach alone is worse than the cosine across
languages (benchmarks/EXPERIMENTS.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import TokenVectors
from labse_search.records import Link
from labse_search.similarity import Vectors, normalize

REACH_WEIGHT = 0.5
MIN_LINK = 0.45  # cosine of two words under which a link would mislead; looked at on the examples
MIN_WEIGHT = 0.6  # of the question's weightiest word: "with" and "how" explain nothing
_WORD = re.compile(r"\w+")
# Han, kana, Thai, Lao, Khmer, Burmese: no spaces between words, so a token is as much of a word as can be told.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


class Passages:
    """Passages whose tokens lie ready for many questions."""

    def __init__(self, passages: Sequence[TokenVectors]) -> None:
        self._count = len(passages)
        self._held = [at for at, passage in enumerate(passages) if len(passage.rows)]  # those that have any tokens
        tables: dict[int, tuple[int, Vectors]] = {}  # where each distinct table begins: passages of one call share one
        start = 0
        for at in self._held:
            table = passages[at].table
            if id(table) not in tables:
                tables[id(table)] = start, table
                start += len(table)
        if self._held:
            rows = [passages[at].rows + tables[id(passages[at].table)][0] for at in self._held]
            self._starts = np.cumsum([0, *map(len, rows[:-1])])
            self._rows = np.concatenate(rows)  # (all tokens,)
            self._table = np.concatenate([table for _, table in tables.values()])  # (distinct tokens, d)

    def __len__(self) -> int:
        return self._count

    def reach(self, question: TokenVectors) -> NDArray[np.float32]:
        """(passages,) float32 in -1..1: the question's tokens' best cosines in each passage, averaged by weight."""
        scores = np.zeros(self._count, np.float32)
        weights = question.weights
        if not self._held or not weights.sum():
            return scores
        cosines = question.directions @ self._table.T  # (question's tokens, distinct tokens)
        # (question's tokens, passages that have any)
        best = np.maximum.reduceat(cosines[:, self._rows], self._starts, axis=1)
        scores[self._held] = weights @ best / weights.sum()
        return scores


def links(
    question: str,
    asked: TokenVectors,
    asked_offsets: Sequence[tuple[int, int]],
    text: str,
    found: TokenVectors,
    found_offsets: Sequence[tuple[int, int]],
    *,
    limit: int = 5,
) -> tuple[Link, ...]:
    """The pairs of words that are each other's closest, strongest first; words that weigh little, as grammar
    does, are left out."""
    spans, left, weights = _words(question, asked, asked_offsets)
    others, right, _ = _words(text, found, found_offsets)
    if not spans or not others:
        return ()
    cosines = left @ right.T  # (words of the question, words of the passage)
    back = cosines.argmax(axis=0)
    telling = weights >= MIN_WEIGHT * weights.max()
    pairs = [
        (i, int(j))
        for i, j in enumerate(cosines.argmax(axis=1))
        if telling[i] and back[j] == i and cosines[i, j] >= MIN_LINK
    ]
    pairs.sort(key=lambda pair: -float(weights[pair[0]] * cosines[pair]))
    return tuple(Link(spans[i], others[j], float(cosines[i, j])) for i, j in pairs[:limit])


def _words(
    text: str, tokens: TokenVectors, offsets: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], Vectors, NDArray[np.float32]]:
    """The text's words, their directions (words, dimension) as the sum of their tokens, and their weights (words,)."""
    spans = [match.span() for match in _WORD.finditer(text) if not _UNSPACED.search(match.group())]
    if len(offsets) != len(tokens.rows):
        raise ValueError(f"{len(offsets)} offsets for {len(tokens.rows)} tokens")
    covered = {at: span for span in spans for at in range(*span)}
    found: dict[tuple[int, int], int] = {}  # word → its row
    kept: list[int] = []  # tokens that are part of a word
    word_of: list[int] = []  # the row of each of these
    for token, (start, end) in enumerate(offsets):
        while start < end and text[start].isspace():  # a piece may carry the space before its word
            start += 1
        if start < end and _WORD.search(text, start, end):
            kept.append(token)
            word_of.append(found.setdefault(covered.get(start, (start, end)), len(found)))
    rows = tokens.rows[kept]
    sums = np.zeros((len(found), tokens.table.shape[1]), np.float32)
    np.add.at(sums, word_of, tokens.table[rows] * tokens.table_weights[rows, None])
    return list(found), normalize(sums), np.linalg.norm(sums, axis=1)
