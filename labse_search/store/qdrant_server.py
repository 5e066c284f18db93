"""The Store protocol on a Qdrant server or cluster by URL, or on `QdrantClient(":memory:")` in tests.

Sharding, replication and quantisation belong to the server: a collection that its operator made or changed with other
parameters serves as well, as long as it carries our metadata.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from qdrant_client import models

from labse_search.errors import StoreUnavailable, UserError
from labse_search.naming import split_generation
from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.similarity import Vectors, check_vectors
from labse_search.store import NO_FILTER, FacetKey, StoreAnswer, StoreQuestion
from labse_search.store.bm25 import document_rows, query_terms
from labse_search.store.folding import VERSION
from labse_search.store.payload import (
    FACET_FIELDS,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    MEANING,
    NUMBER_FIELDS,
    WORDS,
    best_first,
    check_batch,
    check_model,
    check_name,
    check_spec,
    conditions,
    from_payload,
    in_order,
)
from labse_search.store.qdrant_calls import ALIAS_SECONDS, SERVING, SPEC_KEY, ServerCalls, collection_of

BATCH = 256  # points per request: 2 MB, a server takes 32
PAGE = 512
OPTIMIZE_SECONDS = 24 * 3600.0
SEARCH_EF, OVERSAMPLING = 256, 2.0  # as in the embedded store, where they were measured


class ServerStore(ServerCalls):
    """Thread-safe as far as the client is: one HTTP connection pool."""

    # Collections

    def collections(self) -> list[str]:
        return sorted({split_generation(name)[0] for name in self._names()})

    def generations(self, collection: str) -> list[int]:
        return sorted(number or 1 for base, number in map(split_generation, self._names()) if base == collection)

    def serve(self, collection: str, generation: int) -> None:
        name = collection_of(collection, generation)
        self._check_owner(name)
        alias = models.CreateAlias(collection_name=name, alias_name=collection + SERVING)
        there = [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=collection + SERVING))]
        change = [*(there if collection in self._aliases() else []), models.CreateAliasOperation(create_alias=alias)]
        self._ask(lambda: self._client.update_collection_aliases(change))
        self._served = (-ALIAS_SECONDS, {})

    def create(self, collection: str, spec: CollectionSpec) -> None:
        collection = self._meant(check_name(collection), fresh=True)
        self._records.pop(collection, None)
        if not self._ask(lambda: self._client.collection_exists(collection)):
            try:
                self._ask(lambda: self._create(collection, spec))
            except StoreUnavailable:
                # Another process may have been faster; its collection is as good as ours.
                if not self._ask(lambda: self._client.collection_exists(collection)):
                    raise
        check_spec(collection, self._spec(collection), spec)
        if not self._record(collection).get("owner"):  # made by a version that signed nothing
            self._sign(collection)
        self._check_owner(collection)
        self._make_indexes(collection)

    def _create(self, collection: str, spec: CollectionSpec) -> None:
        record = {"format": 1, **asdict(spec), "words": VERSION, **self._signature()}
        self._client.create_collection(
            collection,
            vectors_config={MEANING: models.VectorParams(size=spec.dimension, distance=models.Distance.DOT)},
            sparse_vectors_config={WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            ),
            metadata={SPEC_KEY: record},
        )

    def _make_indexes(self, collection: str) -> None:
        """Those that are missing: a kill right after the collection was made leaves it without any."""
        if self._local:  # it keeps everything in memory and warns that an index has no effect
            return
        there = self._in(collection, lambda: self._client.get_collection(collection)).payload_schema
        kinds = [(field, models.PayloadSchemaType.KEYWORD) for field in KEYWORD_FIELDS]
        kinds += [(field, models.PayloadSchemaType.FLOAT) for field in NUMBER_FIELDS]
        kinds += [(field, models.PayloadSchemaType.INTEGER) for field in INTEGER_FIELDS]
        for field, kind in kinds:
            if field not in there:
                self._ask(functools.partial(self._client.create_payload_index, collection, field, kind))

    def info(self, collection: str) -> CollectionInfo:
        name = self._meant(collection)
        record = self._fresh_record(name)
        words, owner = record.get("words", 1), record.get("owner", "")
        generation = split_generation(name)[1] or 1
        return CollectionInfo(collection, self._spec(name), self._count(name), words, owner, generation)

    def drop(self, collection: str) -> None:
        base, generation = split_generation(check_name(collection))
        if generation is None:
            for each in self.generations(base):
                self._drop(collection_of(base, each))
            return
        name = collection_of(base, generation)
        if name == self._aliases().get(base, base) and generation in self.generations(base):
            raise UserError(f'"{collection}" is the one that answers. Switch to another one first.')
        self._drop(name)

    def _drop(self, collection: str) -> None:
        """With the alias that names it."""
        if self._ask(lambda: self._client.collection_exists(collection)):
            self._check_owner(collection)
            self._ask(lambda: self._client.delete_collection(collection))
        self._records.pop(collection, None)
        self._served = (-ALIAS_SECONDS, {})

    def put_aside(self, collection: str) -> None:
        """Nothing: a server's collections cannot be moved, and their files are its operator's."""

    def take_over(self, collection: str) -> None:
        for generation in self.generations(collection):
            self._sign(collection_of(collection, generation))

    # Writing

    def upsert(self, collection: str, segments: Sequence[StoredSegment], vectors: Vectors, *, fingerprint: str) -> None:
        payloads, array = check_batch(segments, vectors)
        collection = self._to_write(collection)
        spec = self._spec(collection)
        check_model(collection, spec, fingerprint)
        check_vectors(array, spec.dimension, len(segments))
        for start in range(0, len(segments), BATCH):
            part = slice(start, start + BATCH)
            rows = document_rows([stored.segment.text for stored in segments[part]])
            points = [
                models.PointStruct(
                    id=stored.point,
                    vector={MEANING: vector.tolist(), WORDS: _sparse(*rows.row(i))},
                    payload=payload,
                )
                for i, (stored, vector, payload) in enumerate(
                    zip(segments[part], array[part], payloads[part], strict=True)
                )
            ]
            self._in(collection, functools.partial(self._client.upsert, collection, points, wait=True))

    def delete(self, collection: str, where: Filter) -> None:
        if where == NO_FILTER:
            raise ValueError("delete needs a filter; `drop` removes a whole collection")
        collection = self._to_write(collection)
        selector = models.FilterSelector(filter=_some_filter(where))
        self._in(collection, lambda: self._client.delete(collection, selector, wait=True))

    def rename(self, collection: str, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        collection = self._to_write(collection)
        change = {"names": list(names), "folders": list(folders)}
        selector = _some_filter(Filter(documents=(document,)))
        self._in(collection, lambda: self._client.set_payload(collection, change, selector, wait=True))

    def mark_words(self, collection: str, version: int) -> None:
        collection = self._to_write(collection)
        record = {**self._record(collection), "words": version}
        self._in(collection, lambda: self._client.update_collection(collection, metadata={SPEC_KEY: record}))

    def optimize(self, collection: str, *, stop: Callable[[], bool] = lambda: False) -> None:
        """A server optimises by itself: this waits until it has."""
        deadline = time.monotonic() + OPTIMIZE_SECONDS
        collection = self._meant(collection)
        while time.monotonic() < deadline and not stop():
            found = self._in(collection, lambda: self._client.get_collection(collection))
            if found.status == models.CollectionStatus.GREEN:
                return
            if found.status == models.CollectionStatus.RED:
                raise StoreUnavailable(
                    f'The server at {self.location} reports the collection "{collection}" as broken.'
                )
            time.sleep(0.5)

    # Reading

    def search_meaning(
        self,
        collection: str,
        vector: Vectors,
        limit: int,
        *,
        where: Filter = NO_FILTER,
        fingerprint: str,
        exact: bool = False,
    ) -> list[Found]:
        collection = self._meant(collection)
        question = StoreQuestion(fingerprint, vector, None, limit, where)
        [answer] = self._queries(collection, [self._by_meaning(collection, question, exact=exact)])
        return best_first((point.payload or {}, point.score) for point in answer)

    def nearest_cosines(self, collection: str, vectors: Vectors, limit: int, *, fingerprint: str) -> list[list[float]]:
        collection = self._meant(collection)
        questions = [StoreQuestion(fingerprint, vector, None, limit) for vector in vectors]
        requests = [self._by_meaning(collection, question) for question in questions]
        for request in requests:
            request.with_payload = False
        return [[float(point.score) for point in points] for points in self._queries(collection, requests)]

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        collection = self._meant(collection)
        self._spec(collection)
        terms = query_terms(text)
        if not terms:
            return []
        [answer] = self._queries(collection, [_by_words(terms, limit, where)])
        return best_first((point.payload or {}, point.score) for point in answer)

    def ask(self, collection: str, question: StoreQuestion) -> StoreAnswer:
        name = self._meant(collection)
        terms = [] if question.text is None else query_terms(question.text)
        requests = [] if question.vector is None else [self._by_meaning(name, question)]
        requests += [_by_words(terms, question.limit, question.where)] if terms else []
        for request in requests:
            request.with_vector = [MEANING]
        answers = self._queries(name, requests)
        points = {str(point.id): point for answer in answers for point in answer}
        stored = {point: from_payload(one.payload or {}) for point, one in points.items()}
        found = [in_order(Found(stored[str(point.id)], point.score) for point in answer) for answer in answers]
        vectors = {point: np.array(one.vector[MEANING], np.float32) for point, one in points.items()}
        meaning = found.pop(0) if question.vector is not None else []
        return StoreAnswer(meaning, found.pop() if terms else [], vectors, self.info(collection))

    def _by_meaning(self, collection: str, question: StoreQuestion, *, exact: bool = False) -> models.QueryRequest:
        spec = self._spec(collection)
        check_model(collection, spec, question.fingerprint)
        array = check_vectors(np.asarray(question.vector, np.float32).reshape(1, -1), spec.dimension, 1)[0]
        params = None  # the in-memory client is always exact
        if not self._local:
            quantization = models.QuantizationSearchParams(ignore=exact, rescore=True, oversampling=OVERSAMPLING)
            ef = max(SEARCH_EF, 2 * question.limit)
            params = models.SearchParams(exact=exact, hnsw_ef=ef, quantization=quantization)
        return models.QueryRequest(
            query=array.tolist(),
            using=MEANING,
            limit=question.limit,
            filter=_filter(question.where),
            params=params,
            with_payload=True,
        )

    def _queries(self, collection: str, requests: list[models.QueryRequest]) -> list[list[Any]]:
        """The points of each, by one request to the server."""
        if not requests:
            return []
        found = self._in(collection, lambda: self._client.query_batch_points(collection, requests))
        return [answer.points for answer in found]

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
        collection = self._meant(collection)
        if len(where.documents) == 1:
            yield from self._in_order(collection, where, limit)
            return
        offset, left = None, limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            records, offset = self._scroll(collection, where, offset, size, True)
            for record in records:
                yield from_payload(record.payload)
            left = None if left is None else left - len(records)
            if offset is None:
                return

    def _in_order(self, collection: str, where: Filter, limit: int | None) -> Iterator[StoredSegment]:
        order: list[tuple[int, str]] = []
        offset = None
        while True:
            records, offset = self._scroll(collection, where, offset, PAGE, ["index"])
            order += [(record.payload["index"], str(record.id)) for record in records]
            if offset is None:
                break
        points = [point for _, point in sorted(order)[:limit]]
        for start in range(0, len(points), PAGE):
            part = points[start : start + PAGE]
            found = self._by_point(collection, part)
            yield from (found[point] for point in part if point in found)

    def _scroll(
        self, collection: str, where: Filter, offset: Any, limit: int, with_payload: bool | list[str]
    ) -> tuple[list[Any], Any]:
        records, following = self._in(
            collection,
            lambda: self._client.scroll(
                collection, scroll_filter=_filter(where), offset=offset, limit=limit, with_payload=with_payload
            ),
        )
        return records, following

    def by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        return self._by_point(self._meant(collection), points)

    def _by_point(self, collection: str, points: Sequence[str]) -> dict[str, StoredSegment]:
        found: dict[str, StoredSegment] = {}
        for start in range(0, len(points), PAGE):
            part = list(points[start : start + PAGE])
            records = self._in(
                collection, functools.partial(self._client.retrieve, collection, part, with_payload=True)
            )
            found.update({str(record.id): from_payload(record.payload) for record in records})
        return found

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
        collection = self._meant(collection)
        found: dict[str, Vectors] = {}
        for start in range(0, len(points), PAGE):
            part = list(points[start : start + PAGE])
            records = self._in(
                collection,
                functools.partial(self._client.retrieve, collection, part, with_payload=False, with_vectors=[MEANING]),
            )
            found.update({str(record.id): np.array(record.vector[MEANING], np.float32) for record in records})
        return found

    def count(self, collection: str, where: Filter = NO_FILTER) -> int:
        return self._count(self._meant(collection), where)

    def count_documents(self, collection: str) -> int:
        return len(self.facet(collection, "document"))

    def _count(self, collection: str, where: Filter = NO_FILTER) -> int:
        request = _filter(where)
        return int(self._in(collection, lambda: self._client.count(collection, count_filter=request, exact=True)).count)

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        collection = self._meant(collection)
        answer = self._in(
            collection,
            lambda: self._client.facet(
                collection, FACET_FIELDS[key], facet_filter=_filter(where), limit=1_000_000, exact=True
            ),
        )
        hits = [(self._plain(str(hit.value)), int(hit.count)) for hit in answer.hits if hit.count]
        return dict(sorted(hits, key=lambda hit: (-hit[1], hit[0])))

    def close(self) -> None:
        self._client.close()


def _by_words(terms: list[int], limit: int, where: Filter) -> models.QueryRequest:
    query = _sparse(terms, [1.0] * len(terms))
    return models.QueryRequest(query=query, using=WORDS, limit=limit, filter=_filter(where), with_payload=True)


def _sparse(terms: list[int], weights: list[float]) -> models.SparseVector:
    return models.SparseVector(indices=terms, values=weights)


def _some_filter(where: Filter) -> models.Filter:
    found = _filter(where)
    if found is None:
        raise ValueError("an empty filter names everything")
    return found


def _filter(where: Filter) -> models.Filter | None:
    must: list[Any] = []
    must_not: list[Any] = []
    for field, relation, value in conditions(where):
        if relation == "any":
            must.append(models.FieldCondition(key=field, match=models.MatchAny(any=value)))
        elif relation == "none":
            must_not.append(models.FieldCondition(key=field, match=models.MatchAny(any=value)))
        elif relation == "from":
            must.append(models.FieldCondition(key=field, range=models.Range(gte=value)))
        else:
            must.append(models.FieldCondition(key=field, range=models.Range(lt=value)))
    return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None
