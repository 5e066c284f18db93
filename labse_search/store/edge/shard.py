"""The shard that serves a collection: what is read of it, also while an optimised copy takes its place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as qe

from labse_search.records import Filter
from labse_search.similarity import Vectors
from labse_search.store.edge.engine import HNSW_EF, OVERSAMPLING, filter_of, scroll
from labse_search.store.payload import MEANING, WORDS, Payload

PAGE = 500  # points per page of ids
T = TypeVar("T")


class ServingShard:
    """Reads of `engine`, the shard that serves now. Any thread may call; whoever replaces `engine` closes the old one
    afterwards, and a read that met the closed one is done again on the new one."""

    def __init__(self, engine: qe.EdgeShard, dimension: int) -> None:
        self.engine = engine
        self._dimension = dimension

    def nearest(self, vector: Vectors, limit: int, where: Filter, *, exact: bool) -> list[tuple[Payload, float]]:
        """The closest segments to one vector (dimension,) of float32 with their cosines, best first. `exact` looks at
        every vector instead of asking the index."""
        request = _by_meaning(vector, limit, where, exact=exact)
        return [(point.payload, float(point.score)) for point in self._read(lambda shard: shard.query(request))]

    def cosines(self, vectors: Vectors, limit: int) -> list[list[float]]:
        """For each vector (n, dimension) the cosines of the closest segments, the highest first."""
        requests = [_by_meaning(vector, limit, Filter(), with_payload=False) for vector in vectors]
        found = self._read(lambda shard: [shard.query(request) for request in requests])
        return [[float(point.score) for point in points] for points in found]

    def search_words(self, terms: list[int], limit: int, where: Filter) -> list[tuple[Payload, float]]:
        """The segments that have any of these terms (ids of `bm25.query_terms`) with their BM25 scores, best first."""
        if not terms:
            return []
        request = _by_words(terms, limit, where)
        return [(point.payload, float(point.score)) for point in self._read(lambda shard: shard.query(request))]

    def ask(self, vector: Vectors | None, terms: list[int], limit: int, where: Filter) -> tuple[list[Any], list[Any]]:
        """The engine's points by meaning (none without a vector) and by words, best first, with payload and vector."""
        by_meaning = None if vector is None else _by_meaning(vector, limit, where, with_vector=[MEANING])
        by_words = _by_words(terms, limit, where, with_vector=[MEANING]) if terms else None

        def query(shard: Any) -> tuple[list[Any], list[Any]]:
            meaning = [] if by_meaning is None else shard.query(by_meaning)
            return meaning, [] if by_words is None else shard.query(by_words)

        return self._read(query)

    def page(self, where: Filter, offset: str | None, limit: int) -> tuple[list[Payload], str | None]:
        """Up to `limit` payloads from point id `offset` on, in the order of ids, and where the next page begins: None
        after the last one."""
        request = qe.ScrollRequest(offset=offset, limit=limit, filter=filter_of(where), with_payload=True)
        records, following = self._read(lambda shard: shard.scroll(request))
        return [record.payload for record in records], None if following is None else str(following)

    def in_order(self, where: Filter) -> list[tuple[int, str]]:
        """(index, point) of all that `where` names, sorted by index."""
        found: list[tuple[int, str]] = []
        offset = None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=PAGE, filter=filter_of(where), with_payload=["index"])
            records, offset = self._read(functools.partial(scroll, request))
            found += [(record.payload["index"], str(record.id)) for record in records]
            if offset is None:
                return sorted(found)

    def payloads(self, points: Sequence[str]) -> list[Payload]:
        """Of those points that exist, in the order asked for."""
        records = self._read(lambda shard: shard.retrieve(list(points), with_payload=True, with_vector=False))
        by_point = {str(record.id): record.payload for record in records}
        return [by_point[point] for point in points if point in by_point]

    def vectors(self, points: Sequence[str]) -> tuple[list[str], Vectors]:
        """The points that exist, and their vectors as rows (n, dimension) of float32."""
        records = self._read(lambda shard: shard.retrieve(list(points), with_payload=False, with_vector=[MEANING]))
        rows = np.array([record.vector[MEANING] for record in records], np.float32)
        return [str(record.id) for record in records], rows.reshape(len(records), self._dimension)

    def count(self, where: Filter) -> int:
        """Exactly how many segments `where` names."""
        request = qe.CountRequest(exact=True, filter=filter_of(where))
        return int(self._read(lambda shard: shard.count(request)))

    def facet(self, field: str, where: Filter) -> list[tuple[str, int]]:
        """(value, segments that have it) of one payload field, in the engine's order."""
        request = qe.FacetRequest(field, limit=1_000_000, exact=True, filter=filter_of(where))
        hits = self._read(lambda shard: shard.facet(request)).hits
        return [(hit.value, hit.count) for hit in hits if hit.count]  # the engine remembers what it lost, with 0

    def pages(self, where: Filter) -> Iterator[list[str]]:
        """Point ids, a page at a time; what is deleted or changed meanwhile does not disturb it."""
        offset = None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=PAGE, filter=filter_of(where), with_payload=False)
            records, offset = self._read(functools.partial(scroll, request))
            if records:
                yield [str(record.id) for record in records]
            if offset is None:
                return

    def _read(self, call: Callable[[Any], T]) -> T:
        """The call on the shard that serves now; again if an optimised copy took its place in between."""
        while True:
            shard = self.engine
            try:
                return call(shard)
            except Exception:
                if shard is self.engine:
                    raise


def _by_meaning(vector: Vectors, limit: int, where: Filter, *, exact: bool = False, **more: Any) -> qe.QueryRequest:
    if exact:
        params = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))
    else:
        params = qe.SearchParams(
            hnsw_ef=max(HNSW_EF, 2 * limit),
            quantization=qe.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
        )
    plain: Any = vector  # an array as it is: the engine's hints know lists only
    query = qe.Query.Nearest(plain, using=MEANING)
    fields = {"with_payload": True, **more}
    return qe.QueryRequest(limit, query=query, filter=filter_of(where), params=params, **fields)


def _by_words(terms: list[int], limit: int, where: Filter, **more: Any) -> qe.QueryRequest:
    query = qe.Query.Nearest(qe.SparseVector(terms, [1.0] * len(terms)), using=WORDS)
    return qe.QueryRequest(limit, query=query, filter=filter_of(where), with_payload=True, **more)
