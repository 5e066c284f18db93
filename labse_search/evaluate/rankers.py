"""What scores documents for queries: a model, to which a document is its best sentence, and BM25 as the baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import sentencex
from numpy.typing import NDArray

from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.search.profile import ModelProfile
from labse_search.similarity import Vectors
from labse_search.store.bm25 import K1, B
from labse_search.store.folding import words

Posting = tuple[NDArray[np.int64], Vectors]  # document numbers, weights

CELLS_AT_ONCE = 50_000_000  # float32 scores of queries × sentences: 200 MB


class Ranker(Protocol):
    """Whatever scores documents for queries."""

    name: str

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
        """(queries, documents) float32, higher is better. `languages`: of each document, for its sentences."""

    def facts(self) -> dict[str, str | int | float]:
        """What a report says of it, by name."""


class ModelRanker:
    """Cosine of the query and the best sentence of the document; with a profile, of the query without what only tells
    its language, as the search asks."""

    def __init__(self, encoder: EmbeddingCache, profile: ModelProfile | None = None) -> None:
        self.name = encoder.encoder.model + (", as the search asks" if profile else "")
        self._encoder = encoder
        self._profile = profile
        self._sentences: dict[tuple[str, str], list[str]] = {}

    def facts(self) -> dict[str, str | int | float]:
        """The encoder's."""
        return self._encoder.facts()

    def prepare(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> None:
        """Encode everything at once, before scores are asked for in parts."""
        parts = [text for pair in zip(documents, languages, strict=True) for text in self.sentences(*pair)]
        self._encoder.prepare(queries, "query")
        self._encoder.prepare(parts, "document")

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
        """The cosine of each query with the closest sentence of each document."""
        parts = [self.sentences(document, language) for document, language in zip(documents, languages, strict=True)]
        starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        sentences = [text for part in parts for text in part]
        vectors = self._encoder.vectors(sentences, "document")
        best = np.empty((len(queries), len(documents)), dtype=np.float32)
        rows = max(CELLS_AT_ONCE // max(len(sentences), 1), 1)
        for start in range(0, len(queries), rows):
            asked = self._encoder.vectors(queries[start : start + rows], "query")
            block = (self._profile.neutral(asked) if self._profile else asked) @ vectors.T  # (rows, sentences)
            best[start : start + rows] = np.maximum.reduceat(block, starts, axis=1)
        return best

    def sentences(self, document: str, language: str) -> list[str]:
        """The document's sentences; a document without any stands for itself."""
        key = (document, language)
        if key not in self._sentences:
            found = (part.strip() for part in sentencex.segment(language, document))
            self._sentences[key] = [part for part in found if part] or [document]
        return self._sentences[key]


class Bm25Ranker:
    """BM25 over whole documents with the store's own words (Robertson & Zaragoza 2009; k1 1.2, b 0.75)."""

    name = "BM25"

    def __init__(self) -> None:
        self._words: dict[str, list[str]] = {}
        self._weights: dict[tuple[str, ...], dict[str, Posting]] = {}

    def facts(self) -> dict[str, str | int | float]:
        """Its two parameters."""
        return {"k1": K1, "b": B}

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
        """BM25 of each query's words; word statistics are those of these documents."""
        key = tuple(documents)
        if key not in self._weights:
            self._weights[key] = self._index(documents)
        weights = self._weights[key]
        scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
        for row, query in enumerate(queries):
            for word in set(self._words_of(query)) & weights.keys():
                numbers, values = weights[word]
                scores[row, numbers] += values
        return scores

    def _index(self, documents: Sequence[str]) -> dict[str, Posting]:
        """Per word the documents that hold it and the weight it has in each, IDF included."""
        found = [self._words_of(document) for document in documents]
        average = float(np.mean([len(text) for text in found])) or 1.0
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, text in enumerate(found):
            norm = K1 * (1 - B + B * len(text) / average)
            for word, count in Counter(text).items():
                postings[word].append((number, count * (K1 + 1) / (count + norm)))
        weights = {}
        for word, entries in postings.items():
            numbers, values = zip(*entries, strict=True)
            idf = np.log1p((len(documents) - len(entries) + 0.5) / (len(entries) + 0.5))
            weights[word] = np.array(numbers), np.asarray(idf * np.array(values), dtype=np.float32)
        return weights

    def _words_of(self, text: str) -> list[str]:
        if text not in self._words:
            self._words[text] = words(text)
        return self._words[text]
