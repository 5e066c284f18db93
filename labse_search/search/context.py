"""What is shown around a passage that was found: those beside it, and which of its sentences is closest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labse_search.records import Found, StoredSegment, point_id
from labse_search.search.passages import sentences
from labse_search.similarity import Vectors
from labse_search.store import Store


@dataclass(frozen=True)
class Marked:
    """The sentence of a passage that is closest to the question."""

    span: tuple[int, int]  # in the passage's text
    closeness: float | None = None  # its cosine to the question; None where the passage has no other sentence


def neighbours(store: Store, collection: str, found: Sequence[Found]) -> dict[str, tuple[StoredSegment, ...]]:
    """For each segment, by point, those just before and after it, in reading order: one call of the store for all."""
    beside = {
        one.stored.point: [point_id(one.stored.document, one.stored.segment.index + step) for step in (-1, 1)]
        for one in found
    }
    there = store.by_point(collection, list({point: None for both in beside.values() for point in both}))
    return {of: tuple(there[point] for point in both if point in there) for of, both in beside.items()}


def best_sentences(
    stored: Sequence[StoredSegment], vector: Vectors, encode: Callable[[Sequence[str]], Vectors]
) -> dict[str, Marked]:
    """For each segment, by point, the sentence that is closest to the question's `vector` (dimension,), never a
    heading, or all of it where no sentences are known: one call of `encode` for all."""
    spans = {one.point: sentences(one.segment) for one in stored}
    texts = {one.point: one.segment.text for one in stored}
    several = [(point, span) for point, of_one in spans.items() if len(of_one) > 1 for span in of_one]
    best = {point: Marked(of_one[0] if of_one else (0, len(texts[point]))) for point, of_one in spans.items()}
    if not several:
        return best
    scores = encode([texts[point][start:end] for point, (start, end) in several]) @ vector
    for (point, span), score in zip(several, scores.tolist(), strict=True):
        known = best[point].closeness
        if known is None or score > known:
            best[point] = Marked(span, score)
    return best
