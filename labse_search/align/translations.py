"""Which documents of a collection are translations of each other: the same passages in another language, in order.

documents' mean vectors → each other's nearest in two languages → passages in order, far fewer in reverse order

From the vectors that the store has: nothing is encoded. What a language's passages have in common is taken out of them
first; what is left tells documents apart. Time grows with the number of documents, but for one product of matrices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from labse_search.align.anchors import paired
from labse_search.records import UNKNOWN_LANGUAGE
from labse_search.similarity import Vectors, normalize
from labse_search.store import Store

FEWEST_SEGMENTS = 3  # of a document whose order says something
# Chosen on manual pages in four languages (benchmarks/results/translations.md). The mean vectors of translations have a
# cosine of 0.5 and more; a document may be there twice, so the next nearest counts where it is as near.
LEAST_COSINE, AS_NEAR = 0.45, 0.02
# Share of the shorter document's segments that must pair in order with the other's, and how many times as many as in
# reverse order: unrelated documents reach a third, in either direction, by chance.
LEAST_SHARE, LEAST_RATIO = 0.3, 1.5
UNKNOWN = 20  # segments of a language whose mean we don't know yet: so few have a mean that says more of them
POINTS_AT_ONCE = 1000
ROWS_AT_ONCE = 1000  # documents compared with all at a time


@dataclass(frozen=True)
class Translation:
    """Two documents with the same passages in the same order, in two languages."""

    source: str  # document ids
    target: str
    share: float  # of the shorter document's segments, which found their place in the other, 0..1


@dataclass(frozen=True)
class Document:
    """The vectors of a document's passages."""

    id: str
    language: str  # of most of its segments
    vectors: Vectors  # (segments, dimension), in order


def find_translations(
    store: Store, collection: str, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Translation]:
    """The pairs of documents that are translations of each other, surest first. `progress`: candidates looked at, and
    how many there are."""
    return find_among(read_documents(store, collection), progress=progress)


def find_among(
    documents: Sequence[Document], *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Translation]:
    """As `find_translations`, of documents that were read."""
    documents = _centred(documents)
    if len({one.language for one in documents}) < 2:
        return []
    means = normalize(np.stack([one.vectors.mean(axis=0) for one in documents]))
    languages = np.array([one.language for one in documents])
    found, candidates = [], sorted(_candidates(means, languages))
    for done, (a, b) in enumerate(candidates):
        progress(done, len(candidates))
        share, reverse = _shares(documents[a].vectors, documents[b].vectors)
        if share >= LEAST_SHARE and share >= LEAST_RATIO * reverse:
            found.append(Translation(documents[a].id, documents[b].id, share))
    return sorted(found, key=lambda translation: -translation.share)


def read_documents(store: Store, collection: str) -> list[Document]:
    """The documents of enough segments in a known language."""
    points: dict[str, list[tuple[int, str]]] = {}
    languages: dict[str, Counter[str]] = {}
    for stored in store.segments(collection):
        points.setdefault(stored.document, []).append((stored.segment.index, stored.point))
        languages.setdefault(stored.document, Counter())[stored.segment.language] += 1
    orders = {
        document: [point for _, point in sorted(entries)]
        for document, entries in points.items()
        if len(entries) >= FEWEST_SEGMENTS and languages[document].most_common(1)[0][0] != UNKNOWN_LANGUAGE
    }
    found = []
    for some in _batches(orders):
        vectors = store.vectors(collection, [point for document in some for point in orders[document]])
        for document in some:
            order = orders[document]
            if all(point in vectors for point in order):  # else somebody is taking the document out at this moment
                language = languages[document].most_common(1)[0][0]
                found.append(Document(document, language, np.stack([vectors[point] for point in order])))
    return found


def _batches(orders: dict[str, list[str]]) -> Iterator[list[str]]:
    """Documents whose segments are asked for at once."""
    left = iter(orders)
    while first := list(islice(left, 1)):
        some, points = first, len(orders[first[0]])
        while points < POINTS_AT_ONCE and (more := next(left, None)) is not None:
            some.append(more)
            points += len(orders[more])
        yield some


def _centred(documents: Sequence[Document]) -> list[Document]:
    """The documents without what the segments of their language have in common."""
    common: dict[str, Vectors] = {}
    for language in {one.language for one in documents}:
        rows = np.concatenate([one.vectors for one in documents if one.language == language])
        common[language] = rows.mean(axis=0) * (len(rows) / (len(rows) + UNKNOWN))
    return [Document(one.id, one.language, normalize(one.vectors - common[one.language])) for one in documents]


def _candidates(means: Vectors, languages: NDArray[np.str_]) -> set[tuple[int, int]]:
    """Pairs of documents in two languages, each as near as any of its language to the other."""
    of = {language: np.flatnonzero(languages == language) for language in sorted(set(languages.tolist()))}
    nearest = {  # (documents,): the highest cosine of each document with one of the language
        language: np.concatenate([(part @ means[columns].T).max(axis=1) for part in _rows(means)])
        for language, columns in of.items()
    }
    pairs = set()
    for source, target in combinations(of, 2):
        columns = of[target]
        for start in range(0, len(of[source]), ROWS_AT_ONCE):
            rows = of[source][start : start + ROWS_AT_ONCE]
            cosines = means[rows] @ means[columns].T
            best = np.maximum(nearest[target][rows][:, None], nearest[source][columns][None])
            for row, column in np.argwhere((cosines >= best - AS_NEAR) & (cosines >= LEAST_COSINE)):
                a, b = int(rows[row]), int(columns[column])
                pairs.add((min(a, b), max(a, b)))
    return pairs


def _rows(means: Vectors) -> Iterator[Vectors]:
    for start in range(0, len(means), ROWS_AT_ONCE):
        yield means[start : start + ROWS_AT_ONCE]


def _shares(source: Vectors, target: Vectors) -> tuple[float, float]:
    """How many of the shorter document's segments pair with the other's in order, and in reverse order; 0..1."""
    shorter = min(len(source), len(target))
    return paired(source, target) / shorter, paired(source, np.ascontiguousarray(target[::-1])) / shorter
