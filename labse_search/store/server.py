"""The Store protocol on a Qdrant server or cluster by URL, or on `QdrantClient(":memory:")` in tests.

Sharding, replication and quantisation belong to the server: a collection that its operator made or changed with other
parameters serves as well, as long as it carries our metadata.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from qdrant_client.local.qdrant_local import QdrantLocal

from labse_search.errors import StoreUnavailable
from labse_search.records import CollectionInfo, CollectionSpec, Filter, Found, StoredSegment
from labse_search.similarity import Vectors, check_vectors
from labse_search.store import NO_FILTER, FacetKey
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
    missing,
)
from labse_search.store.words import document_rows, query_terms

TIMEOUT_SECONDS = 30
BATCH = 256  # points per request: 2 MB, a server takes 32
PAGE = 512
OPTIMIZE_SECONDS = 24 * 3600.0
SEARCH_EF, OVERSAMPLING = 256, 2.0  # as in the embedded store, where they were measured
SPEC_KEY = "labse_search"  # our entry in the collection's metadata

T = TypeVar("T")


class ServerStore:
    """Thread-safe as far as the client is: one HTTP connection pool."""

    def __init__(self, client: QdrantClient, location: str) -> None:
        self.location = location
        self._client = client
        self._local = isinstance(getattr(client, "_client", None), QdrantLocal)
        self._specs: dict[str, CollectionSpec] = {}  # a spec never changes while its collection lives

    @classmethod
    def connect(cls, url: str, api_key: str = "") -> ServerStore:
        """Connected and answered once; StoreUnavailable if nobody does."""
        store = cls(_client(url, api_key), url)
        store.collections()
        return store

    # Collections

    def collections(self) -> list[str]:
        found = self._ask(lambda: self._client.get_collections())
        return sorted(one.name for one in found.collections)

    def create(self, collection: str, spec: CollectionSpec) -> None:
        check_name(collection)
        self._specs.pop(collection, None)
        if self._ask(lambda: self._client.collection_exists(collection)):
            check_spec(collection, self._spec(collection), spec)
            return
        try:
            self._ask(lambda: self._create(collection, spec))
        except StoreUnavailable:
            # Another process may have been faster; its collection is as good as ours.
            if not self._ask(lambda: self._client.collection_exists(collection)):
                raise
            check_spec(collection, self._spec(collection), spec)
        self._make_indexes(collection)

    def _create(self, collection: str, spec: CollectionSpec) -> None:
        record = {"format": 1, "dimension": spec.dimension, "fingerprint": spec.fingerprint, "model": spec.model}
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
        if self._local:  # it keeps everything in memory and warns that an index has no effect
            return
        kinds = [(field, models.PayloadSchemaType.KEYWORD) for field in KEYWORD_FIELDS]
        kinds += [(field, models.PayloadSchemaType.FLOAT) for field in NUMBER_FIELDS]
        kinds += [(field, models.PayloadSchemaType.INTEGER) for field in INTEGER_FIELDS]
        for field, kind in kinds:
            self._ask(functools.partial(self._client.create_payload_index, collection, field, kind))

    def info(self, collection: str) -> CollectionInfo:
        self._specs.pop(collection, None)
        return CollectionInfo(collection, self._spec(collection), self.count(collection))

    def drop(self, collection: str) -> None:
        check_name(collection)
        self._specs.pop(collection, None)
        if self._ask(lambda: self._client.collection_exists(collection)):
            self._ask(lambda: self._client.delete_collection(collection))

    def _spec(self, collection: str) -> CollectionSpec:
        if collection not in self._specs:
            found = self._in(collection, lambda: self._client.get_collection(collection))
            record = (found.config.metadata or {}).get(SPEC_KEY)
            if record is None:
                raise StoreUnavailable(
                    f'The collection "{collection}" at {self.location} was not made by this program. Choose another '
                    "name (LABSE_COLLECTION)."
                )
            self._specs[collection] = CollectionSpec(record["dimension"], record["fingerprint"], record["model"])
        return self._specs[collection]

    # Writing

    def upsert(self, collection: str, segments: Sequence[StoredSegment], vectors: Vectors, *, fingerprint: str) -> None:
        payloads, array = check_batch(segments, vectors)
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
        selector = models.FilterSelector(filter=_some_filter(where))
        self._in(collection, lambda: self._client.delete(collection, selector, wait=True))

    def rename(self, collection: str, document: str, names: Sequence[str], folders: Sequence[str]) -> None:
        change = {"names": list(names), "folders": list(folders)}
        selector = _some_filter(Filter(documents=(document,)))
        self._in(collection, lambda: self._client.set_payload(collection, change, selector, wait=True))

    def optimize(self, collection: str) -> None:
        """A server optimises by itself: this waits until it has."""
        deadline = time.monotonic() + OPTIMIZE_SECONDS
        while time.monotonic() < deadline:
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
        spec = self._spec(collection)
        check_model(collection, spec, fingerprint)
        array = check_vectors(np.asarray(vector, np.float32).reshape(1, -1), spec.dimension, 1)[0]
        params = None  # the in-memory client is always exact
        if not self._local:
            quantization = models.QuantizationSearchParams(ignore=exact, rescore=True, oversampling=OVERSAMPLING)
            params = models.SearchParams(exact=exact, hnsw_ef=max(SEARCH_EF, 2 * limit), quantization=quantization)
        return self._query(collection, array.tolist(), MEANING, limit, where, params)

    def search_words(self, collection: str, text: str, limit: int, *, where: Filter = NO_FILTER) -> list[Found]:
        self._spec(collection)
        terms = query_terms(text)
        if not terms:
            return []
        return self._query(collection, _sparse(terms, [1.0] * len(terms)), WORDS, limit, where, None)

    def _query(
        self, collection: str, query: Any, using: str, limit: int, where: Filter, params: models.SearchParams | None
    ) -> list[Found]:
        answer = self._in(
            collection,
            lambda: self._client.query_points(
                collection,
                query=query,
                using=using,
                limit=limit,
                query_filter=_filter(where),
                search_params=params,
                with_payload=True,
            ),
        )
        return best_first((point.payload or {}, point.score) for point in answer.points)

    def segments(self, collection: str, where: Filter = NO_FILTER, limit: int | None = None) -> Iterator[StoredSegment]:
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
            found = self.by_point(collection, part)
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
        found: dict[str, StoredSegment] = {}
        for start in range(0, len(points), PAGE):
            part = list(points[start : start + PAGE])
            records = self._in(
                collection, functools.partial(self._client.retrieve, collection, part, with_payload=True)
            )
            found.update({str(record.id): from_payload(record.payload) for record in records})
        return found

    def vectors(self, collection: str, points: Sequence[str]) -> dict[str, Vectors]:
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
        request = _filter(where)
        return int(self._in(collection, lambda: self._client.count(collection, count_filter=request, exact=True)).count)

    def facet(self, collection: str, key: FacetKey, where: Filter = NO_FILTER) -> dict[str, int]:
        answer = self._in(
            collection,
            lambda: self._client.facet(
                collection, FACET_FIELDS[key], facet_filter=_filter(where), limit=1_000_000, exact=True
            ),
        )
        hits = [(str(hit.value), int(hit.count)) for hit in answer.hits if hit.count]
        return dict(sorted(hits, key=lambda hit: (-hit[1], hit[0])))

    def close(self) -> None:
        self._client.close()

    # Calls

    def _in(self, collection: str, call: Callable[[], T]) -> T:
        """The call's answer, or CollectionMissing if that is why it failed."""
        try:
            return self._ask(call)
        except (StoreUnavailable, ValueError) as error:
            cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
            gone = isinstance(cause, ValueError) or getattr(cause, "status_code", None) == 404
            if gone and not self._ask(lambda: self._client.collection_exists(collection)):
                self._specs.pop(collection, None)
                raise missing(collection, self.location, self.collections()) from None
            raise

    def _ask(self, call: Callable[[], T]) -> T:
        """The call's answer, or StoreUnavailable with the URL, never the key, and what to do."""
        try:
            return call()
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise StoreUnavailable(
                    f"The Qdrant server at {self.location} refused the key. Set LABSE_API_KEY to one that it accepts."
                ) from error
            raise StoreUnavailable(
                f"The Qdrant server at {self.location} answered {error.status_code} {error.reason_phrase}."
            ) from error
        except (ResponseHandlingException, ApiException, QdrantException, httpx.HTTPError, OSError) as error:
            why = "did not answer in time" if "timed out" in str(error).lower() else "does not answer"
            raise StoreUnavailable(
                f"The Qdrant server at {self.location} {why}. Is it running, and is LABSE_STORE right? "
                "Without LABSE_STORE the documents are kept on this computer."
            ) from error


def _client(url: str, api_key: str) -> QdrantClient:
    with contextlib.ExitStack() as stack:
        import warnings

        stack.enter_context(warnings.catch_warnings())
        # A key over plain http is the operator's choice on their own network; the version check would be a second
        # request that prints.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(url=url, api_key=api_key or None, timeout=TIMEOUT_SECONDS, check_compatibility=False)


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
