"""Which words of a question met which words of a passage, across languages: on request, for "why".

A word counts as much as the two texts grow apart when it is taken out (occlusion: Li, Monroe and Jurafsky 2016), and it
is linked with the word of the other text that means most nearly the same, as the model's own vectors of the two words
say. Some fifty short texts are encoded for one passage: a tenth of a second, so it is not done for every hit at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labse_search.records import Link
from labse_search.similarity import Vectors

Encode = Callable[[Sequence[str]], Vectors]

MOST_WORDS = 48  # of a text that are looked at: from there on the first ones
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]{{1,2}}|(?:(?![{_UNSPACED}])\w)+(?:['’‑-](?:(?![{_UNSPACED}])\w)+)*")


def word_links(question: str, sentence: str, encode: Encode, *, limit: int = 5) -> tuple[Link, ...]:
    """The pairs of words, the weightiest first, each word in one pair at most; code points in `question` and
    `sentence`. `encode` gives the vectors that the search compares, (n, dimension) of length 1."""
    spans = [word_spans(question), word_spans(sentence)]
    if not spans[0] or not spans[1]:
        return ()
    texts = [[question, sentence], _each_left_out(question, spans[0]), _each_left_out(sentence, spans[1])]
    texts += [[text[slice(*span)] for span in of] for text, of in zip((question, sentence), spans, strict=True)]
    both, less_asked, less_found, left, right = _encoded(texts, encode)
    whole = float(both[0] @ both[1])
    weight_asked = np.maximum(whole - less_asked @ both[1], 0.0)
    weight_found = np.maximum(whole - less_found @ both[0], 0.0)
    scores = (left @ right.T) * np.sqrt(_share(weight_asked)[:, None] * _share(weight_found)[None, :])
    links: list[Link] = []
    while len(links) < limit:
        i, j = divmod(int(scores.argmax()), scores.shape[1])
        if scores[i, j] <= 0:
            break
        links.append(Link(spans[0][i], spans[1][j], float(left[i] @ right[j])))
        scores[i, :] = scores[:, j] = 0.0
    return tuple(links)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words stand that may be linked; of scripts without spaces between words, pairs of characters."""
    return [word.span() for word in _WORD.finditer(text)][:MOST_WORDS]


def _each_left_out(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [text[:start] + text[end:] for start, end in spans]


def _encoded(texts: Sequence[Sequence[str]], encode: Encode) -> list[Vectors]:
    """One call for all; what has no letter left has a vector of zeros."""
    flat = [text for part in texts for text in part]
    kept = [number for number, text in enumerate(flat) if text.strip()]
    rows = encode([flat[number] for number in kept])
    vectors = np.zeros((len(flat), rows.shape[1]), np.float32)
    vectors[kept] = rows
    return [np.asarray(part) for part in np.split(vectors, np.cumsum([len(part) for part in texts])[:-1])]


def _share(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(weights / max(float(weights.max()), 1e-9))
