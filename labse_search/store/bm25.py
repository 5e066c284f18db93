"""Text → words → weights of a sparse BM25 vector. A term is a 32-bit number; `folding` says what a word is."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labse_search.store.folding import single_letters, split

K1, B = 1.2, 0.75  # Robertson and Zaragoza 2009, section 3.5: the usual values
AVERAGE_WORDS = 60.0  # of a segment that fills a window of 128 tokens; a constant keeps a weight valid for ever


@dataclass(frozen=True)
class SparseRows:
    """One sparse vector per text: row i owns terms[offsets[i]:offsets[i + 1]] and the weights beside them."""

    terms: NDArray[np.uint32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.uint32]  # (rows + 1,)

    def row(self, i: int) -> tuple[list[int], list[float]]:
        """Term ids and weights of text `i`."""
        start, end = int(self.offsets[i]), int(self.offsets[i + 1])
        return self.terms[start:end].tolist(), self.weights[start:end].tolist()


def document_rows(texts: Sequence[str]) -> SparseRows:
    """The BM25 weights of each text's terms, without the IDF that the store multiplies in when it searches."""
    terms: list[int] = []
    counts: list[int] = []
    words_in: list[int] = []
    terms_in: list[int] = []
    for text in texts:
        found: list[str] = []
        others: list[str] = []
        for parts, forms in split(text):
            found += parts
            others += forms
        words_in.append(len(found))
        counted = Counter(map(term, [*found, *others, *single_letters(text)]))
        terms.extend(counted)
        counts.extend(counted.values())
        terms_in.append(len(counted))
    lengths = np.repeat(K1 * (1 - B + B * np.array(words_in, np.float64) / AVERAGE_WORDS), terms_in)
    counted_as = np.array(counts, np.float64)
    weights = counted_as * (K1 + 1) / (counted_as + lengths)
    offsets = np.concatenate([[0], np.cumsum(terms_in)])
    return SparseRows(np.array(terms, np.uint32), weights.astype(np.float32), offsets.astype(np.uint32))


def query_terms(text: str) -> list[int]:
    """The distinct terms of a question; each weighs 1."""
    return list(dict.fromkeys(term(word) for parts, forms in split(text) for word in (*parts, *forms)))


def term(word: str) -> int:
    """A number that is the same in every process, version and machine. Two of a million words share one at ~1e-4."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))
