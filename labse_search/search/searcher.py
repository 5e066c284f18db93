"""One question, one collection, one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labse_search.encoder import Encoder
from labse_search.errors import UserError
from labse_search.records import UNKNOWN_LANGUAGE, Filter, Found, Hit, Mode, StoredSegment
from labse_search.search.fusion import closer_than, collapse, coverage, fuse, shared_words
from labse_search.similarity import Vectors, normalize
from labse_search.store import NO_FILTER, Store
from labse_search.store.words import words as split_words

SAMPLE = 1000  # segments whose cosines with the question say what "usual" is in this collection
POOL = 60  # segments taken from each ranking before grouping; more changes nothing in the first twenty
MORE_IN_DOCUMENT = 3

# How far above the collection's usual cosine a passage must lie, in standard deviations, to be called close. From the
# examples and their questions with labse-mini: right answers lie between 3 and 8, the best passage for a question
# that nothing answers seldom above 3.
VERY_CLOSE, CLOSE, RELATED = 5.5, 4.0, 2.8


@dataclass(frozen=True)
class Answer:
    """What came of one question."""

    question: str
    question_language: str  # ISO 639-1 or "unknown"; it never filters anything by itself
    hits: tuple[Hit, ...]
    strengths: tuple[str, ...]  # one a hit: "very close", "close", "related", "far"
    seconds: float
    segments: int  # in the whole collection
    cut: bool = False  # the question was longer than the model's window: its parts were averaged

    @property
    def good(self) -> bool:
        """Whether anything found deserves to be called an answer."""
        return any(strength != "far" for strength in self.strengths)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(hit.stored.segment.language for hit in self.hits))


class Searcher:
    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        collection: str,
        *,
        identify: Callable[[str], str] = lambda text: UNKNOWN_LANGUAGE,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.collection = collection
        self._identify = identify
        self._sample: tuple[int, Vectors] | None = None

    def search(
        self,
        question: str,
        *,
        mode: Mode = "both",
        limit: int = 10,
        where: Filter = NO_FILTER,
        other_languages_only: bool = False,
        group: bool = True,
        explain: bool = True,
    ) -> Answer:
        """The passages that answer `question`. `group` shows one passage a document, with the document's others under
        it; `explain` adds the closest sentence and the neighbours. UserError for an empty question."""
        started = time.perf_counter()
        question = question.strip()
        if not question:
            raise UserError("Type a question, a sentence or a paragraph.")
        language = self._identify(question)
        if other_languages_only and language != UNKNOWN_LANGUAGE:
            where = replace(where, not_languages=(*where.not_languages, language))
        vector, cut = self._question_vector(question)
        meaning = self._meaning(vector, where, limit) if mode != "words" else []
        words = (
            self.store.search_words(self.collection, question, POOL + limit, where=where) if mode != "meaning" else []
        )
        answer = self._answer(question, vector, meaning, words, limit=limit, group=group, explain=explain)
        return replace(answer, question_language=language, cut=cut, seconds=time.perf_counter() - started)

    def more_like(self, document: str, index: int, *, limit: int = 10, where: Filter = NO_FILTER) -> Answer:
        """Passages close to one that is stored, from other documents. UserError if it is gone."""
        started = time.perf_counter()
        stored = next(iter(self.store.segments(self.collection, Filter(documents=(document,), indexes=(index,)))), None)
        vectors = self.store.vectors(self.collection, [stored.point]) if stored else {}
        if stored is None or stored.point not in vectors:
            raise UserError("This passage is no longer in the collection. Search again.")
        vector = vectors[stored.point]
        where = replace(where, not_documents=(*where.not_documents, document))
        meaning = self._meaning(vector, where, limit)
        text = stored.segment.text
        answer = self._answer(text, vector, meaning, [], limit=limit, group=True, explain=True)
        return replace(answer, question_language=stored.segment.language, seconds=time.perf_counter() - started)

    def _meaning(self, vector: Vectors, where: Filter, limit: int) -> list[Found]:
        return self.store.search_meaning(
            self.collection, vector, POOL + limit, where=where, fingerprint=self.encoder.fingerprint
        )

    def _question_vector(self, question: str) -> tuple[Vectors, bool]:
        """The question's vector (dimension,), and whether it had to be cut: the parts are then averaged."""
        tokenizer = self.encoder.tokenizer
        if tokenizer.count([question])[0] <= tokenizer.max_tokens:
            return self.encoder.encode([question])[0], False
        # Half the window: special tokens take room, and pieces split differently at a new border.
        room = max(1, tokenizer.max_tokens // 2)
        offsets = tokenizer.offsets(question)
        parts = [question[piece[0][0] : piece[-1][1]] for piece in _pieces(offsets, room)]
        return normalize(self.encoder.encode(parts).mean(axis=0)), True

    def _answer(
        self,
        question: str,
        vector: Vectors,
        meaning: Sequence[Found],
        words: Sequence[Found],
        *,
        limit: int,
        group: bool,
        explain: bool,
    ) -> Answer:
        fused = _fused(question, meaning, words)
        vectors = self.store.vectors(self.collection, [found.stored.point for found in fused])
        # One scale for all modes: the cosine. A segment whose vector is gone was deleted this very moment.
        fused = [
            Found(found.stored, float(vectors[found.stored.point] @ vector))
            for found in fused
            if found.stored.point in vectors
        ]
        first = _grouped(collapse(fused, vectors), group)[:limit]
        sample = self._background() @ vector
        ranks = [{found.stored.point: rank for rank, found in enumerate(part, 1)} for part in (meaning, words)]
        sentences = self._best_sentences([found for found, _, _ in first], vector) if explain else {}
        hits = tuple(
            Hit(
                rank=rank,
                score=found.score,
                stored=found.stored,
                neighbours=self._neighbours(found.stored) if explain else (),
                best_sentence=sentences.get(found.stored.point, (0, len(found.stored.segment.text))),
                meaning_rank=ranks[0].get(found.stored.point),
                words_rank=ranks[1].get(found.stored.point),
                shared_words=shared_words(question, found.stored.segment.text),
                copies=tuple(copy.stored for copy in copies),
                more_in_document=tuple(more),
                closer_than=closer_than(found.score, sample),
            )
            for rank, (found, copies, more) in enumerate(first, 1)
        )
        return Answer(
            question=question,
            question_language=UNKNOWN_LANGUAGE,
            hits=hits,
            strengths=tuple(strength(hit.score, sample) for hit in hits),
            seconds=0.0,
            segments=self.store.count(self.collection),
        )

    def _background(self) -> Vectors:
        """Vectors of up to 1,000 segments (n, dimension). Ids are hashes, so the first by id are a random sample."""
        count = self.store.count(self.collection)
        if self._sample is None or abs(self._sample[0] - count) > 0.05 * count:
            points = [stored.point for stored in self.store.segments(self.collection, limit=SAMPLE)]
            vectors = list(self.store.vectors(self.collection, points).values())
            sample = np.stack(vectors) if vectors else np.zeros((0, self.encoder.dimension), np.float32)
            self._sample = (count, sample.astype(np.float32))
        return self._sample[1]

    def _neighbours(self, stored: StoredSegment) -> tuple[StoredSegment, ...]:
        index = stored.segment.index
        where = Filter(documents=(stored.document,), indexes=(index - 1, index + 1) if index else (1,))
        return tuple(sorted(self.store.segments(self.collection, where), key=lambda one: one.segment.index))

    def _best_sentences(self, found: Sequence[Found], vector: Vectors) -> dict[str, tuple[int, int]]:
        """For each segment, the sentence that is closest to the question: one call of the encoder for all."""
        spans = [
            (one.stored.point, span)
            for one in found
            if len(one.stored.segment.sentences) > 1
            for span in one.stored.segment.sentences
        ]
        if not spans:
            return {}
        texts = {one.stored.point: one.stored.segment.text for one in found}
        scores = self.encoder.encode([texts[point][start:end] for point, (start, end) in spans]) @ vector
        best: dict[str, tuple[float, tuple[int, int]]] = {}
        for (point, span), score in zip(spans, scores, strict=True):
            if point not in best or score > best[point][0]:
                best[point] = (float(score), span)
        return {point: span for point, (_, span) in best.items()}


def _fused(question: str, meaning: Sequence[Found], words: Sequence[Found]) -> list[Found]:
    if not meaning or not words:
        return list(meaning or words)
    asked = split_words(question)
    return fuse(meaning, words, [coverage(asked, split_words(found.stored.segment.text)) for found in words])


def strength(score: float, sample: np.ndarray) -> str:
    """How close in words, measured against the usual cosine of this question with this collection."""
    usual, spread = (float(np.median(sample)), float(np.std(sample))) if len(sample) else (0.0, 1.0)
    above = (score - usual) / max(spread, 1e-6)
    names = ((VERY_CLOSE, "very close"), (CLOSE, "close"), (RELATED, "related"))
    return next((name for least, name in names if above >= least), "far")


def _pieces(offsets: Sequence[tuple[int, int]], room: int) -> list[Sequence[tuple[int, int]]]:
    return [offsets[at : at + room] for at in range(0, len(offsets), room)]


def _grouped(found: Sequence[tuple[Found, list[Found]]], group: bool) -> list[tuple[Found, list[Found], list[Found]]]:
    """(passage, its copies, further passages of its document), best first; no grouping: nothing further."""
    if not group:
        return [(one, copies, []) for one, copies in found]
    documents: dict[str, tuple[Found, list[Found], list[Found]]] = {}
    for one, copies in found:
        known = documents.setdefault(one.stored.document, (one, copies, []))
        if known[0] is not one and len(known[2]) < MORE_IN_DOCUMENT:
            known[2].append(one)
    return list(documents.values())
