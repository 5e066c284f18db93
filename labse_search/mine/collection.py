"""Two languages of an indexed collection as corpora, with the vectors the store already has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labse_search.corpora.lines import one_line
from labse_search.corpora.sentences import Corpus
from labse_search.corpora.text_keys import text_key
from labse_search.errors import UserError
from labse_search.records import Filter
from labse_search.similarity import Vectors
from labse_search.store import Store

POINTS_AT_ONCE = 1000


def read_collection(store: Store, collection: str, language: str) -> tuple[Corpus, Vectors]:
    """The segments of one language, each text once, and their vectors (n, dimension)."""
    first: dict[int, tuple[str, str]] = {}  # by text key: text and point
    lines = 0
    for stored in store.segments(collection, Filter(languages=(language,))):
        lines += 1
        text = one_line(stored.segment.text)
        first.setdefault(text_key(text), (text, stored.point))
    if not first:
        known = ", ".join(sorted(store.facet(collection, "language"))) or "none"
        raise UserError(f"Collection {collection!r} has no segments in {language!r}. Its languages: {known}.")
    texts, points = zip(*first.values(), strict=True)
    vectors = _read_vectors(store, collection, points)
    return Corpus(texts, points, lines, lines - len(points)), vectors


def _read_vectors(store: Store, collection: str, points: Sequence[str]) -> Vectors:
    vectors = np.empty((len(points), store.info(collection).spec.dimension), dtype=np.float32)
    for start in range(0, len(points), POINTS_AT_ONCE):
        asked = points[start : start + POINTS_AT_ONCE]
        found = store.vectors(collection, asked)
        missing = [point for point in asked if point not in found]
        if missing:
            raise UserError(f"Collection {collection!r} changed while it was read: {missing[0]} is gone. Try again.")
        vectors[start : start + len(asked)] = [found[point] for point in asked]
    return vectors
