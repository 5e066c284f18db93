"""One question, one collection, one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labse_search.encoder import Encoder, TokenEncoder, TokenVectors
from labse_search.errors import UserError
from labse_search.records import UNKNOWN_LANGUAGE, Filter, Found, Hit, Link, Mode, StoredSegment, point_id
from labse_search.search.fusion import closer_than, collapse, coverage, fuse, shared_words
from labse_search.search.links import REACH_WEIGHT, Passages, links
from labse_search.similarity import Vectors, normalize
from labse_search.store import NO_FILTER, Store
from labse_search.store.words import words as split_words

SAMPLE = 1000  # segments whose closeness to the question says what "usual" is in this collection
TOKEN_SAMPLE = 256  # the same where tokens are compared too, which takes a megabyte or two and a millisecond
POOL = 60  # segments taken from each ranking before grouping
MORE_IN_DOCUMENT = 3

# How far above the collection's usual closeness a passage must lie, in standard deviations, to be called close. With
# labse-mini on the examples (benchmarks.strengths): right answers lie at 1.8 to 4.7 (10th to 90th percentile of 99),
# the best passage for a question that nothing answers at 2.9 to 4.1 (of 20). So "very close" can be trusted, and
# "close" only means: look.
VERY_CLOSE, CLOSE, RELATED = 4.6, 3.6, 2.4


@dataclass(frozen=True)
class _Question:
    text: str
    vector: Vectors  # (dimension,)
    tokens: TokenVectors | None = None  # where the encoder knows its tokens
    cut: bool = False  # longer than the window: averaged over its parts


@dataclass(frozen=True)
class Answer:
    """What came of one question."""

    question: str
    question_language: str  # ISO 639-1 or "unknown"; it never filters anything by itself
    hits: tuple[Hit, ...]
    above: tuple[float, ...]  # one a hit: standard deviations above how close the collection usually is
    seconds: float
    segments: int  # in the whole collection
    cut: bool = False  # the question was longer than the model's window: its parts were averaged

    @property
    def strengths(self) -> tuple[str, ...]:
        """One a hit: "very close", "close", "related", "far"."""
        return tuple(strength(one) for one in self.above)

    @property
    def good(self) -> bool:
        """Whether anything found deserves to be called an answer."""
        return any(strength != "far" for strength in self.strengths)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(hit.stored.segment.language for hit in self.hits))


@dataclass(frozen=True)
class _Sample:
    count: int  # segments in the collection when it was taken
    rows: Vectors  # (n, dimension)
    passages: Passages | None  # the first TOKEN_SAMPLE, where the encoder knows their tokens


class Searcher:
    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        collection: str,
        *,
        identify: Callable[[str], str] = lambda text: UNKNOWN_LANGUAGE,
        go_first: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`identify` names the language of a question; `go_first` makes those who encode in bulk wait meanwhile."""
        self.store = store
        self.encoder = encoder
        self.collection = collection
        self._identify = identify
        self._go_first = go_first
        self._sample: _Sample | None = None

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
        with self._go_first():
            language = self._identify(question)
            if other_languages_only and language != UNKNOWN_LANGUAGE:
                where = replace(where, not_languages=(*where.not_languages, language))
            asked = self._question(question)
            meaning = self._meaning(asked.vector, where, limit) if mode != "words" else []
            words = self._words(question, where, limit) if mode != "meaning" else []
            group = group and len({one.stored.document for one in (*meaning, *words)}) > 1
            answer = self._answer(asked, meaning, words, limit=limit, group=group, explain=explain)
        return replace(answer, question_language=language, seconds=time.perf_counter() - started)

    def more_like(self, document: str, index: int, *, limit: int = 10, where: Filter = NO_FILTER) -> Answer:
        """Passages close to one that is stored, from other documents. UserError if it is gone."""
        started = time.perf_counter()
        point = point_id(document, index)
        stored = self.store.by_point(self.collection, [point]).get(point)
        vector = self.store.vectors(self.collection, [point]).get(point)
        if stored is None or vector is None:
            raise UserError("This passage is no longer in the collection. Search again.")
        where = replace(where, not_documents=(*where.not_documents, document))
        with self._go_first():
            meaning = self._meaning(vector, where, limit)
            asked = _Question(stored.segment.text, vector)
            answer = self._answer(asked, meaning, [], limit=limit, group=True, explain=True)
        return replace(answer, question_language=stored.segment.language, seconds=time.perf_counter() - started)

    def _meaning(self, vector: Vectors, where: Filter, limit: int) -> list[Found]:
        """The closest passages; where a few long documents fill them all, also the closest of the others."""
        pool = max(POOL, 2 * limit)
        model = self.encoder.fingerprint
        found = self.store.search_meaning(self.collection, vector, pool, where=where, fingerprint=model)
        documents = {one.stored.document for one in found}
        if len(found) == pool and len(documents) < limit:
            others = replace(where, not_documents=(*where.not_documents, *documents))
            found += self.store.search_meaning(self.collection, vector, pool, where=others, fingerprint=model)
        return found

    def _words(self, question: str, where: Filter, limit: int) -> list[Found]:
        return self.store.search_words(self.collection, question, max(POOL, 2 * limit), where=where)

    def _question(self, text: str) -> _Question:
        """The question as the model sees it; one that is longer than the window is averaged over its parts."""
        tokenizer = self.encoder.tokenizer
        parts = [text]
        if tokenizer.count(parts)[0] > tokenizer.max_tokens:
            # Half the window: special tokens take room, and pieces split differently at a new border.
            pieces = _pieces(tokenizer.offsets(text), max(1, tokenizer.max_tokens // 2))
            parts = [text[piece[0][0] : piece[-1][1]] for piece in pieces]
        vector = normalize(self.encoder.encode(parts).mean(axis=0))
        tokens = None
        if isinstance(self.encoder, TokenEncoder):
            found = self.encoder.token_vectors(parts)
            rows = np.concatenate([part.rows for part in found])
            tokens = TokenVectors(rows, found[0].table, found[0].table_weights)
        return _Question(text, vector, tokens, cut=len(parts) > 1)

    def _closeness(self, asked: _Question, rows: Vectors, passages: Passages | None) -> NDArray[np.float32]:
        """(n,) of segments with the vectors `rows` (n, dimension): their cosine, and half their reach where tokens
        are compared."""
        cosines = rows @ asked.vector
        if asked.tokens is None or passages is None:
            return cosines
        return cosines + REACH_WEIGHT * passages.reach(asked.tokens)

    def _answer(
        self,
        asked: _Question,
        meaning: Sequence[Found],
        words: Sequence[Found],
        *,
        limit: int,
        group: bool,
        explain: bool,
    ) -> Answer:
        there, rows, tokens = self._known([*meaning, *words], asked)
        passages = None if tokens is None else Passages(tokens)
        closeness = dict(zip(there, self._closeness(asked, rows, passages).tolist(), strict=True))
        cosines = dict(zip(there, (rows @ asked.vector).tolist(), strict=True))
        of_meaning = {one.stored.point for one in meaning}
        if meaning:
            meaning = sorted(there.values(), key=lambda one: -closeness[one.stored.point])
        by_meaning = [one for one in meaning if one.stored.point in of_meaning]
        words = [one for one in words if one.stored.point in there]
        ordered = [Found(one.stored, cosines[one.stored.point]) for one in _fused(asked.text, meaning, words)]
        vectors = dict(zip(there, rows, strict=True))
        first = _grouped(collapse(ordered, vectors), group)[:limit]
        count = self.store.count(self.collection)
        usual = self._usual(asked, count)
        ranks = [{one.stored.point: rank for rank, one in enumerate(part, 1)} for part in (by_meaning, words)]
        shown = [one for one, _, _ in first]
        sentences = self._best_sentences(shown, asked.vector) if explain else {}
        neighbours = self._neighbours(shown) if explain else {}
        linked = self._links(asked, shown, dict(zip(there, tokens, strict=True))) if explain and tokens else {}
        hits = tuple(
            Hit(
                rank=rank,
                score=one.score,
                stored=one.stored,
                neighbours=neighbours.get(one.stored.point, ()),
                best_sentence=sentences.get(one.stored.point, (0, len(one.stored.segment.text))),
                meaning_rank=ranks[0].get(one.stored.point),
                words_rank=ranks[1].get(one.stored.point),
                links=linked.get(one.stored.point, ()),
                shared_words=shared_words(asked.text, one.stored.segment.text),
                copies=tuple(copy.stored for copy in copies),
                more_in_document=tuple(more),
                closer_than=closer_than(closeness[one.stored.point], usual),
            )
            for rank, (one, copies, more) in enumerate(first, 1)
        )
        return Answer(
            question=asked.text,
            question_language=UNKNOWN_LANGUAGE,
            hits=hits,
            above=tuple(above_usual(closeness[hit.stored.point], usual) for hit in hits),
            seconds=0.0,
            segments=count,
            cut=asked.cut,
        )

    def _known(
        self, found: Sequence[Found], asked: _Question
    ) -> tuple[dict[str, Found], Vectors, list[TokenVectors] | None]:
        """Each found segment once, by point, with its vector (n, dimension) and its tokens; one whose vector is gone
        was deleted this very moment."""
        vectors = self.store.vectors(self.collection, list({one.stored.point: None for one in found}))
        there = {one.stored.point: one for one in reversed(found) if one.stored.point in vectors}
        rows = np.stack([vectors[point] for point in there]) if there else np.zeros((0, self.encoder.dimension), "f4")
        tokens = None
        if asked.tokens is not None and isinstance(self.encoder, TokenEncoder):
            tokens = self.encoder.token_vectors([one.stored.segment.text for one in there.values()])
        return there, rows, tokens

    def _usual(self, asked: _Question, count: int) -> NDArray[np.float32]:
        """The closeness (n,) of a random sample of the collection of `count` segments. Ids are hashes: the first by
        id are random."""
        if self._sample is None or abs(self._sample.count - count) > 0.05 * count:
            self._sample = self._take_sample(count)
        sample = self._sample
        if asked.tokens is None or sample.passages is None:
            return self._closeness(asked, sample.rows, None)
        return self._closeness(asked, sample.rows[: len(sample.passages)], sample.passages)

    def _take_sample(self, count: int) -> _Sample:
        stored = list(self.store.segments(self.collection, limit=SAMPLE))
        vectors = self.store.vectors(self.collection, [one.point for one in stored])
        stored = [one for one in stored if one.point in vectors]
        rows = (
            np.stack([vectors[one.point] for one in stored]) if stored else np.zeros((0, self.encoder.dimension), "f4")
        )
        passages = None
        if isinstance(self.encoder, TokenEncoder):
            passages = Passages(self.encoder.token_vectors([one.segment.text for one in stored[:TOKEN_SAMPLE]]))
        return _Sample(count, rows, passages)

    def _links(
        self, asked: _Question, shown: Sequence[Found], tokens: dict[str, TokenVectors]
    ) -> dict[str, tuple[Link, ...]]:
        """Which word of the question found which word of each segment; nothing for a question that was cut."""
        if asked.tokens is None or asked.cut:
            return {}
        offsets = self.encoder.tokenizer.offsets
        asked_offsets = offsets(asked.text)
        return {
            one.stored.point: links(
                asked.text,
                asked.tokens,
                asked_offsets,
                one.stored.segment.text,
                tokens[one.stored.point],
                offsets(one.stored.segment.text),
            )
            for one in shown
        }

    def _neighbours(self, found: Sequence[Found]) -> dict[str, tuple[StoredSegment, ...]]:
        """For each segment, those just before and after it, in reading order: one call of the store for all."""
        beside = {
            one.stored.point: [point_id(one.stored.document, one.stored.segment.index + step) for step in (-1, 1)]
            for one in found
        }
        there = self.store.by_point(self.collection, list({point: None for both in beside.values() for point in both}))
        return {of: tuple(there[point] for point in both if point in there) for of, both in beside.items()}

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


def above_usual(score: float, sample: NDArray[np.floating]) -> float:
    """How far above the median of the sample, in its standard deviations."""
    usual, spread = (float(np.median(sample)), float(np.std(sample))) if len(sample) else (0.0, 1.0)
    return (score - usual) / max(spread, 1e-6)


def strength(above: float) -> str:
    """How close in words, measured against how close this collection usually is to this question."""
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
