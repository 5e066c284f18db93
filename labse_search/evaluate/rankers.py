"""What scores documents for queries: a model, to which a document is its best sentence, and BM25 as the baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import sentencex
from numpy.typing import NDArray

from labse_search.encoder import TokenEncoder, TokenVectors
from labse_search.errors import UserError
from labse_search.evaluate.remember import Remembering
from labse_search.mine.encode import fit_window
from labse_search.search.links import REACH_WEIGHT, Passages
from labse_search.similarity import Vectors
from labse_search.store.words import K1, B, words

Posting = tuple[NDArray[np.int64], Vectors]  # document numbers, weights

CELLS_AT_ONCE = 50_000_000  # float32 scores of queries × sentences: 200 MB


class Ranker(Protocol):
    name: str

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
        """(queries, documents) float32, higher is better. `languages`: of each document, for its sentences."""

    def facts(self) -> dict[str, str | int | float]: ...


class ModelRanker:
    """Cosine of the query and the best sentence of the document."""

    def __init__(self, encoder: Remembering) -> None:
        self.name = encoder.encoder.model
        self._encoder = encoder
        self._sentences: dict[tuple[str, str], list[str]] = {}

    def facts(self) -> dict[str, str | int | float]:
        return self._encoder.facts()

    def prepare(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> None:
        """Encode everything at once, before scores are asked for in parts."""
        parts = [text for pair in zip(documents, languages, strict=True) for text in self.sentences(*pair)]
        self._encoder.prepare([*queries, *parts])

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
        parts = [self.sentences(document, language) for document, language in zip(documents, languages, strict=True)]
        starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        sentences = [text for part in parts for text in part]
        closeness = self._closeness_to(sentences)
        best = np.empty((len(queries), len(documents)), dtype=np.float32)
        rows = max(CELLS_AT_ONCE // max(len(sentences), 1), 1)
        for start in range(0, len(queries), rows):
            block = closeness(queries[start : start + rows])  # (rows, sentences)
            best[start : start + rows] = np.maximum.reduceat(block, starts, axis=1)
        return best

    def _closeness_to(self, sentences: Sequence[str]) -> Callable[[Sequence[str]], Vectors]:
        """What gives (queries, sentences) scores."""
        vectors = self._encoder.vectors(sentences)
        return lambda queries: self._encoder.vectors(queries) @ vectors.T

    def sentences(self, document: str, language: str) -> list[str]:
        """The document's sentences; a document without any stands for itself."""
        key = (document, language)
        if key not in self._sentences:
            found = (part.strip() for part in sentencex.segment(language, document))
            self._sentences[key] = [part for part in found if part] or [document]
        return self._sentences[key]


class SearchRanker(ModelRanker):
    """As the search ranks by meaning: the cosine and so much of the reach, of the document's best sentence."""

    def __init__(self, encoder: Remembering) -> None:
        super().__init__(encoder)
        if not isinstance(encoder.encoder, TokenEncoder):
            raise UserError(f"--reach: {self.name} does not know its words one by one. Leave it out.")
        self._words = encoder.encoder
        self.name += " with reach"

    def _closeness_to(self, sentences: Sequence[str]) -> Callable[[Sequence[str]], Vectors]:
        cosines_to = super()._closeness_to(sentences)
        held = Passages(self._tokens(sentences))

        def closeness(queries: Sequence[str]) -> Vectors:
            scores = cosines_to(queries)
            for row, asked in enumerate(self._tokens(queries)):
                scores[row] += REACH_WEIGHT * held.reach(asked)
            return scores

        return closeness

    def _tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return self._words.token_vectors(fit_window(self._encoder.encoder, texts))


class Bm25Ranker:
    """BM25 over whole documents with the store's own words (Robertson & Zaragoza 2009; k1 1.2, b 0.75)."""

    name = "BM25"

    def __init__(self) -> None:
        self._words: dict[str, list[str]] = {}
        self._weights: dict[tuple[str, ...], dict[str, Posting]] = {}

    def facts(self) -> dict[str, str | int | float]:
        return {"k1": K1, "b": B}

    def scores(self, queries: Sequence[str], documents: Sequence[str], languages: Sequence[str]) -> Vectors:
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
